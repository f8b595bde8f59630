// The journal without a disk. Kept honest by test/contract/agent/journal.test.ts.

import { emptyJournal } from '#agent/domain/journal-state.ts';
import type { Journal, JournalState } from '#agent/ports/journal.ts';
import { HoldfastError } from '#protocol/errors.ts';

export class MemoryJournal implements Journal {
  state: JournalState;
  /** When set, writes fail with it. */
  failure: Error | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(state: JournalState = emptyJournal()) {
    this.state = state;
  }

  update(change: (state: JournalState) => JournalState): Promise<JournalState> {
    if (this.#isClosed) return Promise.reject(new HoldfastError('unavailable', 'the journal is closed'));
    const mine = this.#last.then(() => {
      const next = change(this.state);
      if (next !== this.state && this.failure !== null) throw this.failure;
      this.state = structuredClone(next);
      return next;
    });
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#last;
  }
}
