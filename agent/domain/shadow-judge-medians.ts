// Medians over the latest pairs, in bounded memory. Pure.

const WINDOW_PAIRS = 1_000;

export interface PairMedians {
  readonly baselineP50Ms: number;
  readonly candidateP50Ms: number;
  /** Median of the pairs' own ratios, candidate over baseline: what drifts during the shadow cancels. */
  readonly ratio: number;
}

export class RecentPairs {
  readonly #baselineMs: number[] = [];
  readonly #candidateMs: number[] = [];
  #next = 0;

  add(baselineMs: number, candidateMs: number): void {
    this.#baselineMs[this.#next] = baselineMs;
    this.#candidateMs[this.#next] = candidateMs;
    this.#next = (this.#next + 1) % WINDOW_PAIRS;
  }

  /** Null before the first pair. */
  medians(): PairMedians | null {
    if (this.#baselineMs.length === 0) return null;
    const ratios = this.#baselineMs.map(
      (baselineMs, i) => (this.#candidateMs[i] as number) / Math.max(baselineMs, 1e-6),
    );
    return {
      baselineP50Ms: median(this.#baselineMs),
      candidateP50Ms: median(this.#candidateMs),
      ratio: median(ratios),
    };
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}
