// Makes recipes of one version and measures them on this machine, each once, however many profiles ask for it.
// Invariants: what is made is stored before the next is begun, and what is stored is not made again; a recipe that
// fails is an answer too, but is tried again by the next job.

import type { ModelVersion } from '#protocol/api.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';
import type { CompressionRecipe, Precision } from '#protocol/compression.ts';
import { describeError, HoldfastError, type ErrorCode } from '#protocol/errors.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import { PRECISION_OF, type CompressedModel } from '../compression/compress.ts';
import { decodeLabelledImages, type LabelledImages } from '../evaluation/labelled-images.ts';
import type { Store } from '../store/database.ts';
import { recipeInWords } from '../view/recipe-words.ts';
import { compressWeights, measureWeights, type ChildJobDeps } from './child-jobs.ts';
import type { JobSteps, ReportProgress } from './job-steps.ts';
import { setVersionEvaluation } from './store.ts';
import { findTrial, insertTrial, type MadeTrial, type TrialSource } from './trial-store.ts';

export interface TrialDeps extends ChildJobDeps {
  readonly store: Store;
  readonly nowMs: () => number;
}

export interface TrialInput {
  readonly version: ModelVersion;
  readonly calibrationSha256: string | null;
  /** Null leaves everything unmeasured but its size. */
  readonly evaluationSha256: string | null;
  readonly signal: AbortSignal;
  readonly steps: JobSteps;
}

export interface FailedTrial {
  readonly recipe: CompressionRecipe;
  readonly precision: Precision;
  readonly failure: string;
}
export type Trial = MadeTrial | FailedTrial;

export const STEPS_OF_ORIGINAL = 1;
export const STEPS_OF_RECIPE = 2;

const ORIGINAL: CompressionRecipe = { kind: 'original' };
const MAX_DATASET_BYTES = 1024 ** 3;
const SURROUNDINGS: readonly ErrorCode[] = ['cancelled', 'disk-full', 'state-corrupt', 'unavailable'];

export class Trials {
  readonly #deps: TrialDeps;
  readonly #input: TrialInput;
  readonly #calibration: LabelledImages | null;
  readonly #known = new Map<string, Promise<Trial>>();

  private constructor(deps: TrialDeps, input: TrialInput, calibration: LabelledImages | null) {
    this.#deps = deps;
    this.#input = input;
    this.#calibration = calibration;
  }

  /** Reads the calibration dataset. Throws `dataset-invalid` or `safetensors-malformed`. */
  static async open(deps: TrialDeps, input: TrialInput): Promise<Trials> {
    const { calibrationSha256 } = input;
    const calibration =
      calibrationSha256 === null
        ? null
        : decodeLabelledImages(await deps.blobs.bytes(calibrationSha256, MAX_DATASET_BYTES));
    return new Trials(deps, input, calibration);
  }

  /** The author's weights, measured. Throws what the evaluation throws: without them nothing can be compared. */
  async original(): Promise<MadeTrial> {
    const { version, steps } = this.#input;
    const { weights } = version.contract;
    const progress = steps.next('evaluating the original');
    const stored = await this.#stored(ORIGINAL);
    if (stored !== null) return stored;
    const made = await this.#measure(ORIGINAL, weights, null, progress);
    await this.#store(made);
    return made;
  }

  /** Another recipe, made and measured, or why that failed. Throws when the job is cancelled or cut off. */
  of(recipe: CompressionRecipe): Promise<Trial> {
    const key = canonicalJson(recipe);
    const trial = this.#known.get(key) ?? this.#make(recipe);
    this.#known.set(key, trial);
    return trial;
  }

  async #make(recipe: CompressionRecipe): Promise<Trial> {
    const { steps } = this.#input;
    const stored = await this.#stored(recipe);
    if (stored !== null) {
      steps.skip(STEPS_OF_RECIPE);
      return stored;
    }
    const name = recipeInWords(recipe);
    const compressing = steps.next(`compressing to ${name}`);
    const compressed = await this.#attempt(recipe, () => this.#compress(recipe, compressing));
    const evaluating = steps.next(`evaluating ${name}`);
    if ('failure' in compressed) return compressed;
    const { sha256, sizeBytes } = await this.#deps.blobs.putBytes(compressed.weights);
    const made = await this.#attempt(recipe, () =>
      this.#measure(recipe, { sha256, sizeBytes }, compressed, evaluating),
    );
    if ('failure' in made) return made;
    await this.#store(made);
    return made;
  }

  /** What `work` gives, or why the recipe fails. Throws what says nothing of the recipe. */
  async #attempt<T extends object>(
    recipe: CompressionRecipe,
    work: () => Promise<T>,
  ): Promise<T | FailedTrial> {
    try {
      return await work();
    } catch (error) {
      if (this.#input.signal.aborted || isOfSurroundings(error)) throw error;
      return { recipe, precision: PRECISION_OF[recipe.kind], failure: describeError(error) };
    }
  }

  #compress(recipe: CompressionRecipe, progress: ReportProgress): Promise<CompressedModel> {
    const { version, signal } = this.#input;
    return compressWeights(this.#deps, {
      contract: version.contract,
      recipe,
      calibration: this.#calibration,
      signal,
      progress,
    });
  }

  async #measure(
    recipe: CompressionRecipe,
    weights: BlobRef,
    compressed: CompressedModel | null,
    progress: ReportProgress,
  ): Promise<MadeTrial> {
    const { version, evaluationSha256: datasetSha256, signal } = this.#input;
    const isCompared = compressed !== null;
    const measured =
      datasetSha256 === null
        ? null
        : await measureWeights(this.#deps, {
            contract: version.contract,
            weights,
            isCompared,
            datasetSha256,
            signal,
            progress,
          });
    return {
      recipe,
      precision: PRECISION_OF[recipe.kind],
      weights,
      accuracy: measured?.evaluation.accuracy ?? null,
      p95Ms: measured?.evaluation.latencyP95Ms ?? null,
      memoryBytes: measured?.memoryBytes ?? null,
      report: compressed?.report ?? null,
      comparison: measured?.comparison ?? null,
      evaluation: measured?.evaluation ?? null,
    };
  }

  #stored(recipe: CompressionRecipe): Promise<MadeTrial | null> {
    const { model, version } = this.#input.version;
    return findTrial(this.#deps.store.db, model, version, this.#sourceOf(recipe));
  }

  async #store(made: MadeTrial): Promise<void> {
    const { store, nowMs } = this.#deps;
    const { model, version } = this.#input.version;
    await store.transaction(async (trx) => {
      await insertTrial(trx, model, version, this.#sourceOf(made.recipe), made, nowMs());
      if (made.recipe.kind === 'original' && made.evaluation !== null) {
        await setVersionEvaluation(trx, model, version, made.evaluation);
      }
    });
  }

  #sourceOf(recipe: CompressionRecipe): TrialSource {
    const { calibrationSha256, evaluationSha256 } = this.#input;
    return {
      recipe,
      calibrationSha256: recipe.kind === 'original' ? null : calibrationSha256,
      evaluationSha256,
    };
  }
}

/** Whether any other recipe would have met the same: errors of this process, its disk and its database. */
function isOfSurroundings(error: unknown): boolean {
  return !(error instanceof HoldfastError) || SURROUNDINGS.includes(error.code);
}

export function calibrationMissing(): HoldfastError {
  return new HoldfastError('dataset-invalid', 'compression to int8 needs a calibration dataset', {
    hint: 'upload a safetensors file with images and labels, and name it in calibrationSha256',
  });
}
