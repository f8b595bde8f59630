// Runs jobs one at a time, oldest first. INVARIANTS: a job is in the database before it runs; one that a
// crash or a stop interrupted runs again from what was asked; a job that ended never changes.

import { describeError, errorCodeOf, HoldfastError } from '#protocol/errors.ts';
import type { Logger } from '../logger.ts';
import type { Store } from '../store/database.ts';
import type { LiveEvents } from '../store/live-events.ts';
import { findJob, insertJob, openJobs, updateJob, type JobChange, type QueuedJob } from './job-store.ts';

export interface JobContext {
  readonly signal: AbortSignal;
  /** Told often, stored now and then. */
  progress(pct: number, message: string): void;
}

export type JobWork = (job: QueuedJob, context: JobContext) => Promise<void>;

export interface JobQueueDeps {
  readonly store: Store;
  readonly events: LiveEvents;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly work: JobWork;
}

const PROGRESS_INTERVAL_MS = 500;

export class JobQueue implements AsyncDisposable {
  readonly #deps: JobQueueDeps;
  #current: { id: string; abort: AbortController } | null = null;
  #running: Promise<void> | null = null;
  /** Something was added since the database was last looked at. */
  #isWoken = false;
  #isStopped = false;

  constructor(deps: JobQueueDeps) {
    this.#deps = deps;
  }

  /** Takes up what is open in the database, and whatever comes later. */
  start(): void {
    this.#isWoken = true;
    if (!this.#isStopped) this.#running ??= this.#drain();
  }

  /** An open job that asks for the very same is answered in place of a second one. */
  async add(job: QueuedJob): Promise<QueuedJob> {
    const added = await this.#deps.store.transaction(async (trx) => {
      await this.#deps.store.inOrder(trx);
      const same = (await openJobs(trx)).find((open) => asksTheSame(open, job));
      if (same !== undefined) return same;
      await insertJob(trx, job);
      await this.#tell(trx, job, 'queued');
      return job;
    });
    this.start();
    return added;
  }

  /** Throws `not-found`. */
  async get(id: string): Promise<QueuedJob> {
    const job = await findJob(this.#deps.store.db, id);
    if (job !== null) return job;
    throw new HoldfastError('not-found', `no job ${id}`, {
      hint: 'jobs are named by the request that made them',
    });
  }

  /** Ends an open job; one that ended stays as it is. */
  async cancel(id: string): Promise<QueuedJob> {
    const job = await this.get(id);
    await this.#change(job, {
      state: 'cancelled',
      progressPct: job.progressPct,
      message: 'cancelled',
      error: null,
    });
    if (this.#current?.id === id) this.#current.abort.abort();
    return this.get(id);
  }

  async #drain(): Promise<void> {
    try {
      while (!this.#isStopped) {
        this.#isWoken = false;
        const [next] = await openJobs(this.#deps.store.db);
        if (next === undefined && !this.#isWoken) return;
        // The queue may have been stopped while the database was asked.
        if (next !== undefined && !this.#isStopped) await this.#run(next);
      }
    } catch (error) {
      this.#deps.log.error('the job queue stopped; the next job starts it again', { error });
    } finally {
      this.#running = null;
    }
  }

  async #run(job: QueuedJob): Promise<void> {
    const abort = new AbortController();
    this.#current = { id: job.id, abort };
    const progress = new StoredProgress((change) => this.#change(job, change), this.#deps);
    try {
      if (!(await this.#change(job, progress.last))) return;
      abort.signal.throwIfAborted();
      await this.#deps.work(job, {
        signal: abort.signal,
        progress: (pct, message) => progress.tell(pct, message),
      });
      await progress.settled();
      await this.#change(job, { state: 'succeeded', progressPct: 100, message: 'done', error: null });
    } catch (error) {
      await progress.settled();
      // Stopped: it runs again at the next start. Cancelled: its row says so already.
      if (abort.signal.aborted) return;
      const failure = { code: errorCodeOf(error), detail: describeError(error) };
      await this.#change(job, { ...progress.last, state: 'failed', error: failure });
      this.#deps.log.warn('a job failed', { jobId: job.id, error });
    } finally {
      this.#current = null;
    }
  }

  #change(job: QueuedJob, change: JobChange): Promise<boolean> {
    const { store, nowMs } = this.#deps;
    return store.transaction(async (trx) => {
      const isChanged = await updateJob(trx, job.id, change, nowMs());
      if (isChanged) await this.#tell(trx, job, summaryOf(change));
      return isChanged;
    });
  }

  async #tell(trx: Store['db'], job: QueuedJob, what: string): Promise<void> {
    await this.#deps.events.append(
      {
        kind: 'job',
        subject: job.id,
        atMs: this.#deps.nowMs(),
        summary: `${job.kind} of ${job.model} version ${job.version}: ${what}`,
      },
      trx,
    );
  }

  /** Stops the running job, which runs again at the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    this.#current?.abort.abort();
    await this.#running;
  }
}

/** Writes progress down now and then; what could not be written is told again by the next. */
class StoredProgress {
  last: JobChange = { state: 'running', progressPct: 0, message: 'started', error: null };
  readonly #store: (change: JobChange) => Promise<unknown>;
  readonly #deps: Pick<JobQueueDeps, 'log' | 'nowMs'>;
  #storedAtMs = -Infinity;
  #storing: Promise<unknown> = Promise.resolve();

  constructor(store: (change: JobChange) => Promise<unknown>, deps: Pick<JobQueueDeps, 'log' | 'nowMs'>) {
    this.#store = store;
    this.#deps = deps;
  }

  tell(progressPct: number, message: string): void {
    this.last = { state: 'running', progressPct, message, error: null };
    if (this.#deps.nowMs() - this.#storedAtMs < PROGRESS_INTERVAL_MS) return;
    this.#storedAtMs = this.#deps.nowMs();
    this.#storing = this.#store(this.last).catch((error: unknown) =>
      this.#deps.log.warn('progress of a job was not stored', { error }),
    );
  }

  async settled(): Promise<void> {
    await this.#storing;
  }
}

function summaryOf({ state, progressPct, message, error }: JobChange): string {
  if (state === 'running') return `${Math.floor(progressPct)} %, ${message}`;
  return error === null ? state : `${state}: ${error.detail}`;
}

function asksTheSame(a: QueuedJob, b: QueuedJob): boolean {
  const key = ({ kind, model, version, request }: QueuedJob): string =>
    JSON.stringify([kind, model, version, request]);
  return key(a) === key(b);
}
