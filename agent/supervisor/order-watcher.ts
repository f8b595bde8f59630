// Looks for orders in the signed metadata: on a hint, at every connection, and once a minute. While a hint
// is unproven it looks again with growing waits. Invariant: an unproven hint never disturbs a deployment;
// what cannot be proven in time is told as `refused`, once.

import { STATE_DEADLINE_MS } from '#protocol/deployment.ts';
import { describeError, errorCodeOf } from '#protocol/errors.ts';
import type { DesiredBody } from '#protocol/messages.ts';
import { backoffMs } from '../domain/backoff.ts';
import type { Chance, Clock, Timer } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { ReleaseVerifier, VerifiedOrder } from '../ports/release-verifier.ts';
import type { JournalKeeper } from './journal-keeper.ts';

const BACKOFF = { firstMs: 250, maxMs: 5_000 };

export interface OrderWatcherDeps {
  readonly verifier: ReleaseVerifier;
  readonly keeper: JournalKeeper;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  readonly pollMs: number;
  readonly onHint: (hint: DesiredBody) => Promise<unknown>;
  readonly onOrder: (order: VerifiedOrder) => Promise<unknown>;
  readonly onRefused: (code: string, detail: string) => void;
}

export class OrderWatcher implements AsyncDisposable {
  readonly #deps: OrderWatcherDeps;
  readonly #stopping = new AbortController();
  #running: Promise<void> | null = null;
  #again = false;
  #timer: Timer | null = null;
  #attempts = 0;
  /** The newest hint that is not proven yet, and until when it is looked for. */
  #wanted: { readonly seq: number; readonly untilMs: number } | null = null;
  #failure: { readonly code: string; readonly detail: string } | null = null;
  #refusedCode = '';

  constructor(deps: OrderWatcherDeps) {
    this.#deps = deps;
  }

  /** What last stood in the way; null when nothing did. */
  get failure(): string | null {
    return this.#failure?.detail ?? null;
  }

  /** Looks at once, and goes on looking for what an earlier run of the agent was told of. */
  start(): void {
    const report = this.#deps.keeper.state.deployment?.report;
    if (report?.state === 'notified') this.#want(report.seq);
    this.check();
  }

  async hint(hint: DesiredBody): Promise<void> {
    const { highestSeq } = this.#deps.keeper.state;
    if (hint.seq === highestSeq) return;
    if (hint.seq < highestSeq) {
      this.#refuse('replayed', `a hint names order ${hint.seq}, order ${highestSeq} was already taken`);
      return;
    }
    await this.#deps.onHint(hint);
    this.#want(hint.seq);
    this.check();
  }

  /** Looks now, or once more when a look is under way. */
  check(): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer?.cancel();
    this.#again = true;
    this.#running ??= this.#look().finally(() => {
      this.#running = null;
      this.#schedule();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new Error('the agent stops'));
    this.#timer?.cancel();
    await this.#running;
    this.#timer?.cancel();
  }

  #want(seq: number): void {
    if (this.#wanted !== null && this.#wanted.seq >= seq) return;
    this.#attempts = 0;
    this.#wanted = { seq, untilMs: this.#deps.clock.monotonicMs() + STATE_DEADLINE_MS.notified };
  }

  async #look(): Promise<void> {
    const { verifier, keeper, onOrder, logger } = this.#deps;
    const { signal } = this.#stopping;
    while (this.#again && !signal.aborted) {
      this.#again = false;
      try {
        const order = await verifier.refresh({ highestSeq: keeper.state.highestSeq, signal });
        this.#failure = null;
        this.#refusedCode = '';
        if (order !== null && order.order.seq > keeper.state.highestSeq) await onOrder(order);
        if (this.#wanted !== null && (order?.order.seq ?? 0) >= this.#wanted.seq) this.#wanted = null;
      } catch (error) {
        if (signal.aborted) return;
        const code = errorCodeOf(error);
        this.#failure = { code, detail: describeError(error) };
        const isAway = code === 'tuf-unavailable' || code === 'unavailable';
        logger[isAway ? 'debug' : 'warn']('no order could be verified', { error });
        if (!isAway && this.#wanted === null) this.#refuse(code, this.#failure.detail);
      }
    }
  }

  #schedule(): void {
    const { clock, chance, pollMs } = this.#deps;
    if (this.#stopping.signal.aborted) return;
    if (this.#again) return this.check();
    this.#giveUpLateHint();
    const delayMs = this.#wanted === null ? pollMs : backoffMs(++this.#attempts, BACKOFF, chance.uniform());
    this.#timer = clock.after(delayMs, () => this.check());
  }

  /** A deployment in `notified` ends by its own deadline; a hint that found another one running is told of here. */
  #giveUpLateHint(): void {
    const { clock, keeper } = this.#deps;
    if (this.#wanted === null || clock.monotonicMs() < this.#wanted.untilMs) return;
    const { seq } = this.#wanted;
    this.#wanted = null;
    if (keeper.state.deployment?.report.seq === seq) return;
    const why = this.#failure?.detail ?? 'the Director does not order it';
    this.#refuse(this.#failure?.code ?? 'tuf-mismatch', `order ${seq} could not be verified: ${why}`);
  }

  #refuse(code: string, detail: string): void {
    if (this.#refusedCode === code) return;
    this.#refusedCode = code;
    this.#deps.onRefused(code, detail);
  }
}
