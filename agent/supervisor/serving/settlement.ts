// How a request ends: the caller is told, the window counts it, the listener hears of it. Invariant: what is
// the caller's own mistake is never held against the release.

import { errorCodeOf, HoldfastError } from '#protocol/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { InferResult } from '../../ports/runtime.ts';
import type { Lane } from './lane.ts';
import type { ServeAnswer, ServingListener } from './serving-types.ts';
import type { Ticket } from './ticket.ts';
import type { WindowCounters } from './window-counters.ts';

/** Weight of the newest latency in the running mean. */
const MEAN_WEIGHT = 0.1;

export class Settlement {
  readonly #clock: Clock;
  readonly #counters: WindowCounters;
  readonly #listener: ServingListener;
  #meanLatencyMs = 0;

  constructor(clock: Clock, counters: WindowCounters, listener: ServingListener) {
    this.#clock = clock;
    this.#counters = counters;
    this.#listener = listener;
  }

  /** Running mean of the workers' service time, ms. */
  get meanLatencyMs(): number {
    return this.#meanLatencyMs;
  }

  /** The model's answer; one with NaN or infinity is an error of the release. */
  answer(ticket: Ticket, lane: Lane, result: InferResult): void {
    if (!result.finite) return this.fail(ticket, lane, notFinite());
    const latencyMs = this.#clock.monotonicMs() - ticket.arrivedAtMs;
    this.#meanLatencyMs += MEAN_WEIGHT * (result.latencyMs - this.#meanLatencyMs);
    const answer: ServeAnswer = { release: lane.release, contract: lane.load.contract, result, latencyMs };
    if (!ticket.resolve(answer)) return;
    this.#counters.answered(answer, ticket.request.groundTruth);
    this.#tell(lane, { error: false, deadlineMissed: false, latencyMs });
  }

  fail(ticket: Ticket, lane: Lane | null, error: unknown): void {
    if (!ticket.reject(error) || lane === null) return;
    const latencyMs = this.#clock.monotonicMs() - ticket.arrivedAtMs;
    const deadlineMissed = errorCodeOf(error) === 'deadline-exceeded';
    // A deadline under the declared p95 was never promised to be kept.
    const isOwnFault =
      isInputFault(error) || (deadlineMissed && latencyMs < lane.load.contract.budgets.p95LatencyMs);
    if (isOwnFault) return;
    this.#counters.failed(lane.release);
    this.#tell(lane, { error: !deadlineMissed, deadlineMissed, latencyMs });
  }

  /** A worker died with the request, which goes on elsewhere: the release's fault, not yet the caller's loss. */
  workerDied(ticket: Ticket, lane: Lane): void {
    this.#tell(lane, {
      error: true,
      deadlineMissed: false,
      latencyMs: this.#clock.monotonicMs() - ticket.arrivedAtMs,
    });
  }

  #tell(
    { release, slot }: Lane,
    outcome: { error: boolean; deadlineMissed: boolean; latencyMs: number },
  ): void {
    this.#listener.outcome?.({ release, slot, ...outcome });
  }
}

/** The caller's own mistake, whatever model gets it. */
export function isInputFault(error: unknown): boolean {
  const code = errorCodeOf(error);
  return code === 'bad-request' || code === 'image-invalid' || code === 'body-too-large';
}

function notFinite(): HoldfastError {
  return new HoldfastError('internal', 'the model answered with NaN or infinity', {
    hint: 'roll back to the version before, or send another input',
  });
}
