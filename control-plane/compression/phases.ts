// Times the phases of a job and tells of each as it begins. A phase lasts until the next one.

import type { JobProgress } from './child/job-messages.ts';

export class Phases {
  readonly #progress: (progress: JobProgress) => void;
  readonly #nowMs: () => number;
  readonly #spentMs = new Map<string, number>();
  #phase: string | null = null;
  #sinceMs = 0;

  constructor(progress: (progress: JobProgress) => void, nowMs: () => number) {
    this.#progress = progress;
    this.#nowMs = nowMs;
  }

  begin(phase: string): void {
    this.#end();
    this.#phase = phase;
    this.#sinceMs = this.#nowMs();
    this.#progress({ phase, done: 0, total: 1 });
  }

  /** Milliseconds by phase so far, in order of their beginnings. */
  spentMs(): Record<string, number> {
    this.#end();
    return Object.fromEntries(this.#spentMs);
  }

  #end(): void {
    if (this.#phase === null) return;
    const spentMs = (this.#spentMs.get(this.#phase) ?? 0) + this.#nowMs() - this.#sinceMs;
    this.#spentMs.set(this.#phase, spentMs);
    this.#phase = null;
  }
}
