// Judges quantized models by their outputs: runs the float model once, keeps its outputs, and compares each
// quantized model with them. Native code runs here, so only child processes call this.

import type { InferenceSession } from 'onnxruntime-node';
import { HoldfastError } from '#protocol/errors.ts';
import { openSession, runModel, type OpenSession } from '../ort-session.ts';
import type { StepContext } from '../step.ts';
import type { TensorFeed } from '../tensor-feed.ts';
import { lossOf, metricOf, type Loss, type SampleOutputs, type TaskMetric } from './output-loss.ts';
import { searchBudget, type SearchBudget } from './search-budget.ts';

/** The float model's outputs that are held in memory. */
const MAX_HELD_BYTES = 256 * 1024 ** 2;
/** Runs whose time tells how many samples can be afforded; the first, which allocates, does not count. */
const TIMED_RUNS = 4;

export class OutputJudge {
  readonly metric: TaskMetric;
  readonly budget: SearchBudget;
  readonly #context: StepContext;
  readonly #reference: readonly SampleOutputs[];
  readonly #source: { readonly metric: TaskMetric; readonly output: number };

  private constructor(context: StepContext, reference: readonly SampleOutputs[], budget: SearchBudget) {
    this.#context = context;
    this.#reference = reference;
    this.#source = metricOf(reference, context.labels);
    this.metric = this.#source.metric;
    this.budget = budget;
  }

  /** `layers`: how many will be tried. Throws `model-load-failed` or `dataset-invalid`. */
  static async of(original: Uint8Array, context: StepContext, layers: number): Promise<OutputJudge> {
    await using opened = await openSession(original, { optimise: true });
    const names = floatOutputs(opened);
    const reference: SampleOutputs[] = [];
    let budget = searchBudget(0, layers);
    let heldBytes = 0;
    let runMs = Infinity;
    for await (const feed of context.samples) {
      const startedAt = performance.now();
      const outputs = await outputsOf(opened.session, feed, names);
      if (reference.length > 0) runMs = Math.min(runMs, performance.now() - startedAt);
      if (reference.push(outputs) === TIMED_RUNS) budget = searchBudget(runMs, layers);
      heldBytes += outputs.reduce((sum, { data }) => sum + data.byteLength, 0);
      if (reference.length >= budget.samples || heldBytes > MAX_HELD_BYTES) break;
    }
    if (reference.length === 0 || names.length === 0) {
      const message = names.length === 0 ? 'the model has no float32 output' : 'there is no sample';
      throw new HoldfastError('dataset-invalid', `mixed precision cannot be judged: ${message}`, {
        hint: 'leave the mixed precision out of the recipe',
      });
    }
    return new OutputJudge(context, reference, budget);
  }

  /** Samples that a set of layers is judged on. */
  get samples(): number {
    return this.#reference.length;
  }

  /** What a quantized model loses on the first `samples` samples. Throws `model-load-failed`. */
  async judge(quantized: Uint8Array, samples: number = this.samples): Promise<Loss> {
    await using opened = await openSession(quantized, { optimise: true });
    const names = floatOutputs(opened);
    const actual: SampleOutputs[] = [];
    for await (const feed of this.#context.samples) {
      if (actual.push(await outputsOf(opened.session, feed, names)) >= Math.min(samples, this.samples)) break;
    }
    return lossOf(this.#reference.slice(0, actual.length), actual, this.#source, this.#context.labels);
  }
}

function floatOutputs({ session }: OpenSession): string[] {
  return session.outputMetadata
    .filter((value) => value.isTensor && value.type === 'float32')
    .map(({ name }) => name);
}

async function outputsOf(
  session: InferenceSession,
  feed: TensorFeed,
  names: readonly string[],
): Promise<SampleOutputs> {
  const outputs = await runModel(session, feed, names);
  return names.map((name) => {
    const { data, dims } = outputs[name] as { data: Float32Array; dims: readonly number[] };
    return { dims, data };
  });
}
