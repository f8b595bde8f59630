// A token bucket that may go into debt: what has arrived has arrived, so the answer is how long to wait
// before reading on. Pure but for the clock that is passed in.

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export class TokenBucket {
  readonly #rate: Rate;
  readonly #nowMs: () => number;
  #tokens: number;
  #atMs: number;

  constructor(rate: Rate, nowMs: () => number) {
    this.#rate = rate;
    this.#nowMs = nowMs;
    this.#tokens = rate.burst;
    this.#atMs = nowMs();
  }

  /** Takes `count`, there or not; answers the milliseconds until the debt is paid, 0 without one. */
  take(count: number): number {
    const { perSecond, burst } = this.#rate;
    const nowMs = this.#nowMs();
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#atMs) * perSecond) / 1_000) - count;
    this.#atMs = nowMs;
    return Math.max(0, (-this.#tokens * 1_000) / perSecond);
  }
}
