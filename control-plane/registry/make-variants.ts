// The work of a compression job: for each profile asked for, compress by its recipe, evaluate, fix the
// golden tolerance, store. Invariant: what is stored already is not made again, so that the job can be
// cut off anywhere and run again from its start.

import { canonicalJson } from '#protocol/canonical-json.ts';
import type { Evaluation, ModelVersion, Variant } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import type { DeviceProfile } from '#protocol/profile.ts';
import type { BlobStore } from '../artifacts/blob-store.ts';
import type { JobProgress } from '../compression/child/job-messages.ts';
import { compressForProfile, type CompressedModel } from '../compression/compress.ts';
import { inspectOnnx } from '../compression/onnx/inspect.ts';
import { imageFeeds } from '../evaluation/images/image-feeds.ts';
import { decodeLabelledImages } from '../evaluation/labelled-images.ts';
import { evaluate } from '../evaluation/runner.ts';
import { spreadIndices } from '../evaluation/spread-indices.ts';
import type { Store } from '../store/database.ts';
import type { LiveEvents } from '../store/live-events.ts';
import { compressedTolerance, inspectGolden } from './golden-vectors.ts';
import { MAX_GOLDEN_BYTES } from './import-version.ts';
import type { JobContext } from './job-queue.ts';
import type { QueuedJob } from './job-store.ts';
import { profileByName, type Profiles } from './profiles.ts';
import { getVersion, insertVariant, setVersionEvaluation } from './store.ts';

export interface MakeVariantsDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly events: LiveEvents;
  readonly profiles: Profiles;
  readonly nowMs: () => number;
  /** Folder for the scratch files of child processes. */
  readonly scratchRoot: string;
  readonly maxModelBytes: number;
}

export const MAX_DATASET_BYTES = 1024 ** 3;

export async function makeVariants(
  deps: MakeVariantsDeps,
  { model, version: number, request }: QueuedJob,
  context: JobContext,
): Promise<void> {
  const version = await getVersion(deps.store.db, model, number);
  const missing = request.profiles
    .filter((name) => !version.variants.some((variant) => variant.profile === name))
    .map((name) => profileByName(deps.profiles, name));
  const steps = new Steps(context, 1 + 2 * missing.length);
  const maker = new VariantMaker(deps, version, context.signal, steps, request.calibrationSha256);
  const original = await maker.evaluateOriginal(request.evaluationSha256);
  for (const profile of missing) {
    await maker.make(profile, original);
    context.signal.throwIfAborted();
  }
}

/** Whole steps done, and the part of the present one, as one percentage. */
class Steps {
  readonly #context: JobContext;
  readonly #total: number;
  #done = 0;

  constructor(context: JobContext, total: number) {
    this.#context = context;
    this.#total = total;
  }

  /** The progress callback for the next step. */
  next(what: string): (progress: JobProgress) => void {
    const base = this.#done++;
    const tell = (share: number, message: string): void =>
      this.#context.progress((100 * (base + share)) / this.#total, message);
    tell(0, what);
    return ({ phase, done, total }) => tell(total > 0 ? Math.min(1, done / total) : 0, `${what}: ${phase}`);
  }
}

class VariantMaker {
  readonly #deps: MakeVariantsDeps;
  readonly #version: ModelVersion;
  readonly #signal: AbortSignal;
  readonly #steps: Steps;
  readonly #calibrationSha256: string | undefined;
  /** Profiles with the same recipe share the work. */
  readonly #compressed = new Map<string, Promise<CompressedModel>>();

  constructor(
    deps: MakeVariantsDeps,
    version: ModelVersion,
    signal: AbortSignal,
    steps: Steps,
    calibrationSha256: string | undefined,
  ) {
    this.#deps = deps;
    this.#version = version;
    this.#signal = signal;
    this.#steps = steps;
    this.#calibrationSha256 = calibrationSha256;
  }

  /** Null without a dataset. */
  async evaluateOriginal(datasetSha256: string | undefined): Promise<Evaluation | null> {
    const { model, version, contract, evaluation } = this.#version;
    const progress = this.#steps.next('evaluating the original');
    if (datasetSha256 === undefined || evaluation?.datasetSha256 === datasetSha256) return evaluation;
    const measured = await this.#evaluate(contract.weights, null, datasetSha256, progress);
    await setVersionEvaluation(this.#deps.store.db, model, version, measured);
    return measured;
  }

  async make(profile: DeviceProfile, original: Evaluation | null): Promise<void> {
    const { model, version, contract } = this.#version;
    const { store, events, nowMs, blobs } = this.#deps;
    const compressed = await this.#compress(profile);
    assertWithinBudget(profile, compressed.weights.byteLength);
    const weights =
      compressed.precision === 'original' ? contract.weights : await blobs.putBytes(compressed.weights);
    const progress = this.#steps.next(`evaluating for ${profile.name}`);
    const evaluation =
      original === null || compressed.precision === 'original'
        ? original
        : await this.#evaluate(weights, contract.weights, original.datasetSha256, progress);
    const golden = inspectGolden(await blobs.bytes(contract.golden.sha256, MAX_GOLDEN_BYTES), contract);
    const tolerance =
      compressed.precision === 'original'
        ? contract.golden.tolerance
        : compressedTolerance(contract, golden, profile);
    const variant = {
      profile: profile.name,
      precision: compressed.precision,
      weights: { sha256: weights.sha256, sizeBytes: weights.sizeBytes },
      recipe: profile.compression,
      evaluation,
      report: reportOf(compressed),
    };
    await store.transaction(async (trx) => {
      await insertVariant(trx, model, version, { variant, tolerance }, nowMs());
      const summary = `${model} version ${version} compressed for ${profile.name}: ${weights.sizeBytes} bytes`;
      await events.append({ kind: 'model', subject: `${model}/${version}`, atMs: nowMs(), summary }, trx);
    });
  }

  #compress(profile: DeviceProfile): Promise<CompressedModel> {
    const progress = this.#steps.next(`compressing for ${profile.name}`);
    const key = canonicalJson(profile.compression);
    const known = this.#compressed.get(key);
    if (known !== undefined) return known;
    const made = this.#compressOnce(profile, progress);
    this.#compressed.set(key, made);
    return made;
  }

  async #compressOnce(
    { compression: recipe }: DeviceProfile,
    progress: (progress: JobProgress) => void,
  ): Promise<CompressedModel> {
    const { blobs, scratchRoot, maxModelBytes } = this.#deps;
    const { contract } = this.#version;
    const weights = await blobs.bytes(contract.weights.sha256, maxModelBytes);
    if (recipe.kind === 'original') return compressForProfile({ weights, recipe });
    if (this.#calibrationSha256 === undefined) throw calibrationMissing();
    const images = decodeLabelledImages(await blobs.bytes(this.#calibrationSha256, MAX_DATASET_BYTES));
    const calibration = imageFeeds(images, contract, spreadIndices(images.count, recipe.calibration.samples));
    return compressForProfile({ weights, recipe, calibration, progress, scratchRoot, signal: this.#signal });
  }

  async #evaluate(
    weights: BlobRef,
    reference: BlobRef | null,
    datasetSha256: string,
    progress: (progress: JobProgress) => void,
  ): Promise<Evaluation> {
    const { blobs, scratchRoot } = this.#deps;
    const report = await evaluate({
      model: { path: blobs.path(weights.sha256) },
      ...(reference === null ? {} : { reference: { path: blobs.path(reference.sha256) } }),
      dataset: { path: blobs.path(datasetSha256) },
      contract: this.#version.contract,
      signal: this.#signal,
      progress,
      scratchRoot,
    });
    const { samples, accuracy, perClass, latencyP50Ms, latencyP95Ms, disagreement } = report;
    return { datasetSha256, samples, accuracy, perClass, latencyP50Ms, latencyP95Ms, disagreement };
  }
}

export function calibrationMissing(): HoldfastError {
  return new HoldfastError('dataset-invalid', 'compression to int8 needs a calibration dataset', {
    hint: 'upload a safetensors file with images and labels, and name it in calibrationSha256',
  });
}

function assertWithinBudget(profile: DeviceProfile, weightsBytes: number): void {
  if (weightsBytes <= profile.budgets.weightsBytes) return;
  throw new HoldfastError(
    'compression-failed',
    `the variant for ${profile.name} has ${weightsBytes} bytes, the profile allows ${profile.budgets.weightsBytes}`,
    { hint: 'choose a smaller model, or another profile' },
  );
}

/** An uncompressed variant has the operators of its weights, before and after. */
function reportOf({ report, weights }: CompressedModel): Variant['report'] {
  if (report === null) {
    const { opCounts } = inspectOnnx(weights);
    return { opsBefore: opCounts, opsAfter: opCounts, leftInFloat: [], sqnrDb: null };
  }
  const { opsBefore, opsAfter, leftInFloat, sqnrDb } = report;
  return { opsBefore, opsAfter, leftInFloat, sqnrDb };
}
