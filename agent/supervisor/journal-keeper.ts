// The journal as the supervisor uses it: things happen, the pure rules say what follows, and whoever shows
// or sends the state is told once it is on disk.

import { HoldfastError } from '#protocol/errors.ts';
import type { Happening, Reconciled } from '../domain/happening.ts';
import { reconcile } from '../domain/reconcile.ts';
import type { Clock } from '../ports/clock.ts';
import type { Journal, JournalState } from '../ports/journal.ts';

export type JournalListener = (state: JournalState) => void;

export class JournalKeeper {
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #listeners = new Set<JournalListener>();

  constructor(journal: Journal, clock: Clock) {
    this.#journal = journal;
    this.#clock = clock;
  }

  get state(): JournalState {
    return this.#journal.state;
  }

  /** Resolves with the verdict once what follows is on disk. */
  async happened(happening: Happening): Promise<Reconciled['verdict']> {
    let verdict: Reconciled['verdict'] | null = null;
    await this.change((state) => {
      const reconciled = reconcile(state, happening, this.#clock.nowMs());
      verdict = reconciled.verdict;
      return reconciled.state;
    });
    if (verdict === null) throw new HoldfastError('internal', 'the journal did not apply a change');
    return verdict;
  }

  async change(rule: (state: JournalState) => JournalState): Promise<void> {
    let isChanged = false;
    await this.#journal.update((before) => {
      const after = rule(before);
      isChanged = after !== before;
      return after;
    });
    if (isChanged) for (const listener of this.#listeners) listener(this.#journal.state);
  }

  /** Calls the listener after every change; disposing ends that. */
  onChange(listener: JournalListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}
