// The journal on disk: lowdb over a durable file. Invariants: changes are applied one after another, each
// on the state of the one before; a change is visible only once it is on disk; changes that wait while a
// write is under way go down together in the next one.

import { Low } from 'lowdb';
import { HoldfastError } from '#protocol/errors.ts';
import { emptyJournal } from '../domain/journal-state.ts';
import type { Journal, JournalState } from '../ports/journal.ts';
import { JournalFile } from './journal-file.ts';
import { parseJournal } from './journal-schema.ts';

type Change = (state: JournalState) => JournalState;

interface Waiting {
  readonly change: Change;
  readonly done: PromiseWithResolvers<JournalState>;
}

export interface OpenJournalOptions {
  readonly path: string;
  readonly nowMs: () => number;
  readonly onSetAside?: (movedTo: string, why: unknown) => void;
}

/** Opens or begins a journal. Throws `journal-corrupt`; the unreadable files are then set aside. */
export async function openLowdbJournal(options: OpenJournalOptions): Promise<Journal> {
  const file = new JournalFile<JournalState>({
    path: options.path,
    parse: parseJournal,
    stamp: () => String(options.nowMs()),
    ...(options.onSetAside === undefined ? {} : { onSetAside: options.onSetAside }),
  });
  const low = new Low<JournalState>(file, emptyJournal());
  await low.read();
  return new LowdbJournal(low);
}

class LowdbJournal implements Journal {
  readonly #low: Low<JournalState>;
  #state: JournalState;
  readonly #waiting: Waiting[] = [];
  #writing: Promise<void> | null = null;
  #closed = false;

  constructor(low: Low<JournalState>) {
    this.#low = low;
    this.#state = low.data;
  }

  get state(): JournalState {
    return this.#state;
  }

  update(change: Change): Promise<JournalState> {
    if (this.#closed) return Promise.reject(new HoldfastError('unavailable', 'the journal is closed'));
    const done = Promise.withResolvers<JournalState>();
    this.#waiting.push({ change, done });
    this.#writing ??= this.#writeAll();
    return done.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve(); // calls made in one turn share a write
    while (this.#waiting.length > 0) await this.#writeBatch(this.#waiting.splice(0));
    this.#writing = null;
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    let next = this.#state;
    const applied: { readonly done: Waiting['done']; readonly result: JournalState }[] = [];
    for (const { change, done } of batch) {
      try {
        next = change(next);
        applied.push({ done, result: next });
      } catch (error) {
        done.reject(error);
      }
    }
    try {
      if (next !== this.#state) {
        this.#low.data = next;
        await this.#low.write();
        this.#state = next;
      }
      for (const { done, result } of applied) done.resolve(result);
    } catch (error) {
      this.#low.data = this.#state;
      for (const { done } of applied) done.reject(error);
    }
  }
}
