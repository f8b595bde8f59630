// A loaded model with its contract: pre-processing, run, post-processing. Invariant: runs are strictly one
// after another, so `runMs` is the model's time alone; the next image is decoded meanwhile.

import type * as ort from 'onnxruntime-node';
import { HoldfastError } from '#protocol/errors.ts';
import type { GoldenTolerance, ModelContract } from '#protocol/model-contract.ts';
import type { ClassScore, GoldenResult, InferResult, LoadRequest } from '../ports/runtime.ts';
import { classify } from './classify.ts';
import { requireContractFits } from './contract-check.ts';
import { GoldenComparison, readGoldenVectors } from './golden-vectors.ts';
import { modelInputs, probeInputs, type Inputs } from './model-inputs.ts';
import { toFeeds, toOutputs, type Feeds } from './ort-tensors.ts';
import { openSession } from './session.ts';
import { elementCount, isFiniteTensor, numbersOf } from './tensor-types.ts';

/** Warm-up ends when two runs in a row differ by less than this share. */
const SETTLED_SHARE = 0.1;

export class SlotModel {
  readonly #session: ort.InferenceSession;
  readonly #contract: ModelContract;
  readonly #probe: Inputs | null;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(session: ort.InferenceSession, contract: ModelContract, probe: Inputs | null) {
    this.#session = session;
    this.#contract = contract;
    this.#probe = probe;
  }

  /** Errors: model-load-failed, provider-missing, contract-mismatch. */
  static async load(
    request: LoadRequest,
    threads: number,
  ): Promise<{ model: SlotModel; executionProvider: string }> {
    const { weightsPath, contract, profile } = request;
    const probe = await probeInputs(request);
    const { session, executionProvider } = await openSession(
      weightsPath,
      profile,
      threads,
      async (opened) => {
        requireContractFits(contract, opened.inputMetadata, opened.outputMetadata);
        if (probe === null) throw noProbe();
        return toFeeds(await modelInputs(probe, contract));
      },
    );
    requireContractFits(contract, session.inputMetadata, session.outputMetadata);
    return { model: new SlotModel(session, contract, probe), executionProvider };
  }

  /** At most `rounds` runs on probe inputs, until the time settles; the last run's ms, 0 when there is no probe. */
  async warmUp(rounds: number): Promise<number> {
    let lastMs = 0;
    if (this.#probe === null) return lastMs;
    for (let round = 0; round < rounds; round++) {
      const { latencyMs } = await this.infer(this.#probe);
      const settled = round > 0 && Math.abs(latencyMs - lastMs) <= SETTLED_SHARE * lastMs;
      lastMs = latencyMs;
      if (settled) break;
    }
    return lastMs;
  }

  /** Runs every golden vector through the whole pre-processing. Errors: golden-invalid, image-invalid. */
  async golden(goldenPath: string, tolerance: GoldenTolerance): Promise<GoldenResult> {
    const comparison = new GoldenComparison(this.#contract);
    for (const vector of await readGoldenVectors(goldenPath, this.#contract)) {
      const { outputs, finite } = await this.infer(vector.inputs);
      comparison.add(vector, outputs, finite);
    }
    return comparison.result(tolerance);
  }

  /** Milliseconds of the model alone, run after run, on the golden vectors' inputs in turn. Errors: as `golden`. */
  async *runTimes(goldenPath: string): AsyncGenerator<number> {
    const vectors = await readGoldenVectors(goldenPath, this.#contract);
    for (;;) for (const { inputs } of vectors) yield (await this.infer(inputs)).runMs;
  }

  /** `mayRun` is asked just before the model runs and may throw. Errors: bad-request, image-invalid, inference-failed. */
  async infer(inputs: Inputs, mayRun: () => void = () => undefined): Promise<InferResult> {
    const startMs = performance.now();
    const feeds = toFeeds(await modelInputs(inputs, this.#contract));
    const preparedMs = performance.now();
    const { fetched, runMs } = await this.#inTurn(async () => {
      mayRun();
      const beforeMs = performance.now();
      const fetched = await this.#run(feeds);
      return { fetched, runMs: performance.now() - beforeMs };
    });
    const ranMs = performance.now();
    const outputs = toOutputs(fetched, this.#contract);
    const finite = Object.values(outputs).every(isFiniteTensor);
    const classes = finite ? this.#classes(outputs) : [];
    const latencyMs = preparedMs - startMs + runMs + (performance.now() - ranMs);
    return { outputs, classes, latencyMs, runMs, finite };
  }

  async #run(feeds: Feeds): Promise<ort.InferenceSession.ReturnType> {
    try {
      return await this.#session.run(feeds, this.#contract.outputs.map(({ name }) => name)); // prettier-ignore
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause);
      throw new HoldfastError('inference-failed', `the model does not run on this input: ${what}`, {
        hint: 'check the sizes of the input; a model that fails on sound input must be exported again',
        cause,
      });
    }
  }

  async release(): Promise<void> {
    await this.#inTurn(() => this.#session.release());
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.then(
      () => undefined,
      () => undefined,
    );
    return await mine;
  }

  /** Classes of a single input; a batch has none, its raw outputs tell. */
  #classes(outputs: Inputs): ClassScore[] {
    const { postprocess, labels } = this.#contract;
    if (postprocess.kind !== 'classify') return [];
    const output = outputs[postprocess.output];
    if (output === undefined || elementCount(output.shape.slice(0, -1)) !== 1) return [];
    return classify(numbersOf(output), postprocess, labels);
  }
}

function noProbe(): HoldfastError {
  return new HoldfastError(
    'contract-mismatch',
    'the inputs have open sizes, so no run can prove the execution provider',
    {
      hint: 'declare the sizes in the contract, or load with golden vectors',
    },
  );
}
