// How far a job is: whole steps done, and the part of the present one, as one percentage.

import type { JobProgress } from '../compression/child/job-messages.ts';
import type { JobContext } from './job-queue.ts';

export type ReportProgress = (progress: JobProgress) => void;

export class JobSteps {
  readonly #context: JobContext;
  readonly #total: number;
  #done = 0;

  constructor(context: JobContext, total: number) {
    this.#context = context;
    this.#total = total;
  }

  /** The progress callback for the next step. */
  next(what: string): ReportProgress {
    const base = this.#done++;
    const tell = (share: number, message: string): void =>
      this.#context.progress((100 * (base + share)) / this.#total, message);
    tell(0, what);
    return ({ phase, done, total }) => tell(total > 0 ? Math.min(1, done / total) : 0, `${what}: ${phase}`);
  }

  /** Counts steps that need not be done. */
  skip(count: number): void {
    this.#done += count;
  }
}
