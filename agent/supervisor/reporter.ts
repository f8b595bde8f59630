// The retained `reported` state: what this device runs and what it is doing. Invariants: at most two a
// second, changes in between are left out, and the last one is always sent; it counts apart from the outbox.

import type { ReportedBody } from '#protocol/messages.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Transport } from '../ports/transport.ts';

const MIN_INTERVAL_MS = 500;
const RETRY_MS = 2_000;

export interface ReporterDeps {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly boot: string;
  /** The state as it is now. */
  readonly describe: () => ReportedBody;
}

export class Reporter implements AsyncDisposable {
  readonly #deps: ReporterDeps;
  #seq = 0;
  #lastSentMs = -Infinity;
  #timer: Timer | null = null;
  #sending: Promise<void> | null = null;
  #isStale = false;
  #disposed = false;

  constructor(deps: ReporterDeps) {
    this.#deps = deps;
  }

  /** The state changed, or must be told again. */
  changed(): void {
    this.#isStale = true;
    if (this.#timer === null && this.#sending === null) this.#arm(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#timer?.cancel();
    await this.#sending;
  }

  #arm(atLeastMs: number): void {
    if (this.#disposed) return;
    const { clock } = this.#deps;
    const dueInMs = Math.max(atLeastMs, this.#lastSentMs + MIN_INTERVAL_MS - clock.monotonicMs(), 0);
    this.#timer = clock.after(dueInMs, () => {
      this.#timer = null;
      this.#sending = this.#send().finally(() => {
        this.#sending = null;
      });
    });
  }

  async #send(): Promise<void> {
    const { transport, clock, logger, boot, describe } = this.#deps;
    if (!transport.isConnected) return; // the next connection reports
    this.#isStale = false;
    this.#lastSentMs = clock.monotonicMs();
    try {
      await transport.send({ leaf: 'reported', boot, seq: ++this.#seq, body: describe() });
      if (this.#isStale) this.#arm(0);
    } catch (error) {
      logger.debug('the state could not be reported', { error });
      this.#arm(RETRY_MS);
    }
  }
}
