// Races between quantized models: the best so far stays loaded while one after another is raced against it, so
// that two sessions are open at most. Native code runs here, so only child processes call this.

import type { LatencyPair } from '../../evaluation/pair-statistics.ts';
import { timePairs } from '../latency/paired-latency.ts';
import { openSession, type OpenSession } from '../ort-session.ts';
import type { TensorFeed } from '../tensor-feed.ts';
import type { MakeTrial } from './quantized-copy.ts';

/** Pairs of one race at most; whoever reads stops before. */
const MAX_PAIRS = 200;
/** The shortest of a few runs shows small gains on a machine that has other work; slow models run once. */
const RUNS_PER_HALF = 3;
const SLOW_MS = 25;

export class TrialRaces implements AsyncDisposable {
  readonly #make: MakeTrial;
  readonly #feeds: readonly TensorFeed[];
  #best: OpenSession;

  readonly #runsPerHalf: number;

  private constructor(make: MakeTrial, feeds: readonly TensorFeed[], best: OpenSession, runMs: number) {
    this.#make = make;
    this.#feeds = feeds;
    this.#best = best;
    this.#runsPerHalf = runMs < SLOW_MS ? RUNS_PER_HALF : 1;
  }

  /** Begins with everything quantized as the best, which runs in about `runMs`. Throws `model-load-failed`. */
  static async create(make: MakeTrial, feeds: readonly TensorFeed[], runMs: number): Promise<TrialRaces> {
    return new TrialRaces(make, feeds, await openSession(make(new Set()), { optimise: true }), runMs);
  }

  async *race(exclude: ReadonlySet<string>): AsyncGenerator<LatencyPair> {
    await using trial = await openSession(this.#make(exclude), { optimise: true });
    yield* timePairs(this.#best.session, trial.session, this.#feeds, {
      pairs: MAX_PAIRS,
      runsPerHalf: this.#runsPerHalf,
    });
  }

  /** Makes the model with `exclude` in float the best so far. */
  async accept(exclude: ReadonlySet<string>): Promise<void> {
    await this.#best[Symbol.asyncDispose]();
    this.#best = await openSession(this.#make(exclude), { optimise: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#best[Symbol.asyncDispose]();
  }
}
