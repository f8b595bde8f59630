// What the serving path tells, passed on to whoever listens just now (probation, the journal, the log).

import type { ServedOutcome, ServingListener, WorkerCrash } from './serving/serving-types.ts';

export class ServingEvents implements ServingListener {
  readonly #listeners = new Set<ServingListener>();

  /** Disposing ends the subscription. */
  subscribe(listener: ServingListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  outcome(outcome: ServedOutcome): void {
    for (const listener of this.#listeners) listener.outcome?.(outcome);
  }

  crashed(crash: WorkerCrash): void {
    for (const listener of this.#listeners) listener.crashed?.(crash);
  }

  quarantined(crash: WorkerCrash): void {
    for (const listener of this.#listeners) listener.quarantined?.(crash);
  }
}
