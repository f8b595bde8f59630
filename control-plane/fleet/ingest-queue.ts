// Collects messages and applies them in batches, so that one commit to disk serves many. INVARIANTS: order
// is kept; a batch that fails is tried message by message, so that one bad message holds up no other; what
// follows a message happens after its commit; `push` waits while too many are queued.

import type { Kysely } from 'kysely';
import type { Store } from '../store/database.ts';
import type { Database } from '../store/schema.ts';

export interface IngestQueueOptions<M> {
  readonly store: Store;
  /** Queries only: it may run again. Answers what to do once it is durable. */
  readonly apply: (trx: Kysely<Database>, message: M) => Promise<() => void>;
  readonly onFailed: (message: M, error: unknown) => void;
  /** Called after every commit and what followed it. */
  readonly onBatch: () => void;
}

const BATCH_SIZE = 128;
const MAX_QUEUED = 1_024;

export class IngestQueue<M> implements AsyncDisposable {
  readonly #options: IngestQueueOptions<M>;
  #queued: M[] = [];
  #working: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: IngestQueueOptions<M>) {
    this.#options = options;
  }

  /** Resolves when the sender may go on, which is not yet when the message is durable. */
  async push(message: M): Promise<void> {
    if (this.#isClosed) return;
    this.#queued.push(message);
    this.#working ??= this.#work();
    while (this.#queued.length >= MAX_QUEUED && this.#working !== null) await this.#working;
  }

  /** Resolves once everything pushed so far is durable or has failed. */
  async idle(): Promise<void> {
    await this.#working;
  }

  async #work(): Promise<void> {
    // Lets a burst arrive before the first batch is cut.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queued.length > 0) {
      const batch = this.#queued.slice(0, BATCH_SIZE);
      this.#queued = this.#queued.slice(batch.length);
      await this.#commit(batch);
      this.#options.onBatch();
    }
    // In the same turn as the check above: a later push must start work again.
    this.#working = null;
  }

  async #commit(batch: readonly M[]): Promise<void> {
    const { store, apply, onFailed } = this.#options;
    const [first, ...others] = batch;
    if (first === undefined) return;
    try {
      const followUps = await store.transaction(async (trx) => {
        const actions: (() => void)[] = [];
        for (const message of batch) actions.push(await apply(trx, message));
        return actions;
      });
      for (const followUp of followUps) followUp();
    } catch (error) {
      if (others.length === 0) onFailed(first, error);
      else for (const message of batch) await this.#commit([message]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.idle();
  }
}
