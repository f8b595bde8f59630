// One request on its way: settled exactly once, by its answer, its error or its deadline, whichever is first.

import type { Clock, Timer } from '../../ports/clock.ts';
import type { InferRequest } from '../../ports/runtime.ts';
import type { ServeAnswer, ServeRequest } from './serving-types.ts';

export class Ticket {
  readonly request: ServeRequest;
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
  readonly answer: Promise<ServeAnswer>;
  /** True after a worker died with it; it is tried only once more. */
  isRetry = false;
  readonly #clock: Clock;
  readonly #settle = Promise.withResolvers<ServeAnswer>();
  readonly #timer: Timer;
  #isSettled = false;

  /** `onDeadline` is called once when the deadline passes first; it should reject the ticket. */
  constructor(request: ServeRequest, deadlineMs: number, clock: Clock, onDeadline: (ticket: Ticket) => void) {
    this.request = request;
    this.#clock = clock;
    this.arrivedAtMs = clock.monotonicMs();
    this.deadlineAtMs = this.arrivedAtMs + deadlineMs;
    this.answer = this.#settle.promise;
    this.#timer = clock.after(deadlineMs, () => onDeadline(this));
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  get leftMs(): number {
    return this.deadlineAtMs - this.#clock.monotonicMs();
  }

  /** What the worker is asked, with the time that is left. */
  toInferRequest(): InferRequest {
    return { inputs: this.request.inputs, deadlineMs: Math.max(0, this.leftMs) };
  }

  /** False when it was settled before. */
  resolve(answer: ServeAnswer): boolean {
    if (!this.#close()) return false;
    this.#settle.resolve(answer);
    return true;
  }

  reject(error: unknown): boolean {
    if (!this.#close()) return false;
    this.#settle.reject(error);
    return true;
  }

  #close(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.#timer.cancel();
    return true;
  }
}
