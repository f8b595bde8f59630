// Brings the inference processes to the plan. What cannot be loaded is tried again with growing waits, and
// given up for the version before it when that does not help. Invariant: what serves goes on serving until
// what should replace it is loaded and warm.

import { describeError } from '#protocol/errors.ts';
import { backoffMs } from '../domain/backoff.ts';
import type { Happening } from '../domain/happening.ts';
import type { Placed, Plan } from '../domain/plan.ts';
import type { Chance, Clock, Timer } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Serving } from './serving/serving.ts';
import type { ServingEvents } from './serving-events.ts';
import type { Slots } from './slots.ts';

const BACKOFF = { firstMs: 1_000, maxMs: 60_000 };
/** Failures to bring up the release in service before the one before it is taken instead. */
const MAX_FAILURES = 3;
/** Rest of weights that crashed too often when there is nothing else to serve, ms. */
const QUARANTINE_REST_MS = 60_000;

export interface ConvergenceDeps {
  readonly slots: Slots;
  readonly serving: Serving;
  readonly servingEvents: ServingEvents;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly tell: (happening: Happening) => void;
  /** Asks to be called again. */
  readonly again: () => void;
  readonly onSwap: () => void;
}

export class Convergence implements Disposable {
  readonly #deps: ConvergenceDeps;
  readonly #listening: Disposable;
  /** Which release the failures are of. */
  #failing = '';
  #failures = 0;
  #notBeforeMs = 0;
  #retry: Timer | null = null;

  constructor(deps: ConvergenceDeps) {
    this.#deps = deps;
    this.#listening = deps.servingEvents.subscribe({
      quarantined: ({ release }) => this.#rest(release.weightsSha256, QUARANTINE_REST_MS),
    });
  }

  /** Makes what the plan says serve and stand by, as far as that is possible now. */
  async reach(plan: Plan): Promise<void> {
    if (plan.serve === null) await this.#deps.serving.retire();
    else if (!this.#deps.slots.isServing(plan.serve)) await this.#serve(plan.serve);
    try {
      await this.#deps.slots.keepStandby(plan.standby, this.#deps.signal);
    } catch (error) {
      this.#deps.logger.warn('the version before could not be kept warm', { error });
    }
  }

  /** Swaps now; throws when it does not work. */
  async serveNow(placed: Placed): Promise<void> {
    await this.#deps.slots.serve(placed, this.#deps.signal);
    this.#deps.onSwap();
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
    this.#retry?.cancel();
  }

  async #serve(placed: Placed): Promise<void> {
    const { clock, chance, logger, signal } = this.#deps;
    const { weightsSha256, version } = placed.installed.running;
    if (this.#failing !== weightsSha256) {
      this.#failing = weightsSha256;
      this.#failures = 0;
      this.#notBeforeMs = 0;
    }
    if (clock.monotonicMs() < this.#notBeforeMs) return;
    try {
      await this.serveNow(placed);
      this.#failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      this.#failures++;
      const delayMs = backoffMs(this.#failures, BACKOFF, chance.uniform());
      logger.error('the release in service could not be brought up', {
        version,
        tryAgainInMs: Math.round(delayMs),
        error,
      });
      this.#rest(weightsSha256, delayMs);
      if (this.#failures === MAX_FAILURES)
        this.#deps.tell({ kind: 'unservable', detail: describeError(error) });
    }
  }

  #rest(weightsSha256: string, delayMs: number): void {
    this.#failing = weightsSha256;
    this.#notBeforeMs = this.#deps.clock.monotonicMs() + delayMs;
    this.#retry?.cancel();
    this.#retry = this.#deps.clock.after(delayMs, this.#deps.again);
  }
}
