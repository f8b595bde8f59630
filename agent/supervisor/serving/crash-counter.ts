// How often a release's weights took their worker down lately, by digest: the count follows the model, not
// the process or the slot. Pure.

export class CrashCounter {
  readonly #windowMs: number;
  readonly #timesMs = new Map<string, number[]>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Counts one crash and returns those within the window, this one included. */
  add(weightsSha256: string, nowMs: number): number {
    const recent = (this.#timesMs.get(weightsSha256) ?? []).filter((atMs) => nowMs - atMs < this.#windowMs);
    recent.push(nowMs);
    // Digests whose crashes are all old are forgotten, so the map stays small.
    for (const [sha256, timesMs] of this.#timesMs) {
      if (timesMs.every((atMs) => nowMs - atMs >= this.#windowMs)) this.#timesMs.delete(sha256);
    }
    this.#timesMs.set(weightsSha256, recent);
    return recent.length;
  }
}
