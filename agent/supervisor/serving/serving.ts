// The serving path of the agent: who answers a request, with what beside it, and what happens when a worker
// dies. Invariants: an accepted request is answered or told a clear error within its deadline; a swap drops
// none; a shadowed candidate can neither fail nor answer one.

import { HoldfastError } from '#protocol/errors.ts';
import { CrashCounter } from './crash-counter.ts';
import { isWorkerLoss, Lane, type LaneDeps } from './lane.ts';
import { OverloadedError } from './overloaded-error.ts';
import { PairRunner, type Finished } from './pair-runner.ts';
import { RequestQueue } from './request-queue.ts';
import {
  DEFAULT_SERVING_LIMITS, type ReleaseWindow, type ServeAnswer, type ServedSlot, type ServeRequest, type ServingDeps,
  type ServingLimits, type ShadowListener, type ShadowRun, type SlotInService,
} from './serving-types.ts'; // prettier-ignore
import { Settlement } from './settlement.ts';
import { Ticket } from './ticket.ts';
import { WindowCounters } from './window-counters.ts';

interface Shadow {
  readonly lane: Lane;
  readonly listener: ShadowListener;
  isRunning: boolean;
}

const LEAST_RETRY_AFTER_MS = 100;

export class Serving implements AsyncDisposable {
  readonly #deps: ServingDeps;
  readonly #limits: ServingLimits;
  readonly #laneDeps: LaneDeps;
  readonly #queue: RequestQueue;
  readonly #pairs: PairRunner;
  readonly #counters = new WindowCounters();
  readonly #settlement: Settlement;
  #active: Lane | null = null;
  #previous: Lane | null = null;
  #shadow: Shadow | null = null;
  /** While true, one request has the workers for itself. */
  #isExclusive = false;
  #isDisposed = false;

  constructor(deps: ServingDeps, limits: Partial<ServingLimits> = {}) {
    this.#deps = deps;
    this.#limits = { ...DEFAULT_SERVING_LIMITS, ...limits };
    this.#queue = new RequestQueue(this.#limits.queueLimit);
    this.#pairs = new PairRunner(deps);
    this.#settlement = new Settlement(deps.clock, this.#counters, deps.listener);
    const crashes = new CrashCounter(this.#limits.crashWindowMs);
    this.#laneDeps = { ...deps, limits: this.#limits, crashes, onChange: () => this.#pump() };
  }

  /** What serves now; null before the first swap, and when nothing is left that does not crash. */
  get active(): SlotInService | null {
    return this.#active;
  }

  /** The warm slot that served before; null when there is none. */
  get previous(): SlotInService | null {
    return this.#previous;
  }

  /**
   * Errors: overloaded (an OverloadedError with retryAfterMs), not-serving, deadline-exceeded, worker-crashed,
   * worker-hung and memory-short (these after one retry), bad-request, image-invalid, internal.
   */
  infer(request: ServeRequest): Promise<ServeAnswer> {
    const active = this.#active;
    if (active === null || this.#isDisposed) return Promise.reject(notServing('no model is in service'));
    if (this.#queue.isFull) {
      this.#counters.rejected(active.release);
      const waitMs = Math.ceil(this.#queue.size * this.#settlement.meanLatencyMs);
      return Promise.reject(new OverloadedError(this.#queue.size, Math.max(LEAST_RETRY_AFTER_MS, waitMs)));
    }
    const deadlineMs = Math.min(request.deadlineMs ?? this.#limits.deadlineMs, this.#limits.maxDeadlineMs);
    const ticket = new Ticket(request, deadlineMs, this.#deps.clock, (late) =>
      this.#tooLate(late, deadlineMs),
    );
    this.#queue.push(ticket);
    this.#pump();
    return ticket.answer;
  }

  /** Begins to run live requests on the candidate too. Throws `conflict` while another one is shadowed. */
  shadow(candidate: ServedSlot, listener: ShadowListener): ShadowRun {
    if (this.#shadow !== null) throw new HoldfastError('conflict', 'another candidate is being shadowed');
    const lane = new Lane(candidate, true, this.#laneDeps);
    const shadow: Shadow = { lane, listener, isRunning: true };
    lane.onLost = (crash) => {
      shadow.isRunning = false;
      listener.lost(crash);
    };
    this.#shadow = shadow;
    return {
      stop: () => {
        shadow.isRunning = false;
        this.#pump();
      },
    };
  }

  /**
   * New requests go to this slot at once; resolves when the last answer of the slot before is out, which then
   * stays warm as `previous`. The slot may be the shadowed candidate, or one that was loaded aside.
   * Throws `worker-crashed` when the candidate is gone; nothing has changed then.
   */
  async swapTo(next: ServedSlot): Promise<void> {
    const shadow = this.#shadow;
    const isCandidate = shadow !== null && shadow.lane.worker === next.worker;
    const lane = isCandidate ? shadow.lane : new Lane(next, false, this.#laneDeps);
    if (lane.state !== 'ready') {
      throw new HoldfastError('worker-crashed', 'the process of the version to activate has ended');
    }
    this.#shadow = null;
    lane.isCandidate = false;
    lane.onLost = () => undefined;
    await Promise.all([this.#flip(lane), isCandidate ? null : shadow?.lane.retire()]);
  }

  /** Back to the warm slot that served before, in the same way. Throws `no-previous-version`. */
  async swapBack(): Promise<void> {
    const previous = this.#previous;
    if (previous === null || previous.state === 'dead') {
      throw new HoldfastError('no-previous-version', 'no version before this one is loaded', {
        hint: 'order the version that should run',
      });
    }
    this.#previous = null;
    await this.#flip(previous);
  }

  /** Ends the warm slot's process. */
  async dropPrevious(): Promise<void> {
    const previous = this.#previous;
    this.#previous = null;
    await previous?.retire();
  }

  /** Ends a candidate that was shadowed and not swapped to. */
  async dropCandidate(): Promise<void> {
    const shadow = this.#shadow;
    this.#shadow = null;
    this.#pump();
    await shadow?.lane.retire();
  }

  /** Takes every model out of service: what waits is refused, what runs is finished, the processes end. */
  async retire(): Promise<void> {
    const lanes = [this.#active, this.#previous, this.#shadow?.lane];
    this.#active = null;
    this.#previous = null;
    this.#shadow = null;
    this.#pump();
    await Promise.all(
      lanes.map(async (lane) => {
        await lane?.drained();
        await lane?.retire();
      }),
    );
  }

  /** Memory of the active worker, bytes; null when it is not there to answer. */
  async activeRssBytes(): Promise<number | null> {
    const lane = this.#active;
    if (lane === null || lane.state !== 'ready') return null;
    try {
      return await lane.worker.rssBytes();
    } catch (error) {
      if (isWorkerLoss(error)) return null;
      throw error;
    }
  }

  /** Counts by release since the last call. */
  takeWindow(): ReleaseWindow[] {
    return this.#counters.take();
  }

  /** Refuses what waits and ends every worker. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    for (const ticket of this.#queue.takeAll()) ticket.reject(notServing('the agent is stopping'));
    const lanes = [this.#active, this.#previous, this.#shadow?.lane];
    await Promise.all(lanes.map(async (lane) => await lane?.retire()));
  }

  async #flip(lane: Lane): Promise<void> {
    const before = this.#active;
    const replaced = this.#previous;
    this.#active = lane;
    this.#previous = before;
    this.#pump();
    await Promise.all([before?.drained(), replaced?.retire()]);
  }

  /** Gives waiting requests to workers as far as there is room. Called whenever anything changes. */
  #pump(): void {
    if (this.#active?.state === 'dead') this.#fallBack();
    while (!this.#isExclusive) {
      const ticket = this.#queue.first();
      if (ticket === undefined) return;
      const lane = this.#laneInService();
      if (lane === null) return this.#refuseIfHopeless();
      const shadow = this.#shadowFor(ticket, lane);
      // Alone on the worker: a pair, and a request that a worker died with, so that it takes nobody with it.
      const isExclusive = ticket.isRetry || shadow !== null;
      if (lane.inFlight >= (isExclusive ? 1 : this.#limits.pipelineDepth)) return;
      this.#queue.shift();
      this.#isExclusive = isExclusive;
      void (shadow === null
        ? this.#runAlone(ticket, lane, isExclusive)
        : this.#runPair(ticket, lane, shadow));
    }
  }

  /** Weights that crashed too often are out of service for good; the warm slot takes over. */
  #fallBack(): void {
    this.#active = this.#previous?.state === 'dead' ? null : this.#previous;
    this.#previous = null;
  }

  #laneInService(): Lane | null {
    if (this.#active?.state === 'ready') return this.#active;
    return this.#previous?.state === 'ready' ? this.#previous : null;
  }

  #refuseIfHopeless(): void {
    if (this.#active?.state === 'down' || this.#previous?.state === 'down') return;
    const error = notServing('the model in service crashed too often, or was taken out of service');
    for (const ticket of this.#queue.takeAll()) this.#settlement.fail(ticket, this.#active, error);
  }

  /** The shadow, when this request is to be run on both slots. A candidate still busy with a late run is left out. */
  #shadowFor(ticket: Ticket, lane: Lane): Shadow | null {
    const shadow = this.#shadow;
    if (shadow === null || !shadow.isRunning || lane !== this.#active) return null;
    if (shadow.lane.state !== 'ready' || shadow.lane.inFlight > 0) return null;
    const isBusy = this.#queue.size - 1 > this.#limits.shadowQueueLimit;
    return ticket.isRetry || isBusy || !this.#pairs.hasTime(ticket.leftMs) ? null : shadow;
  }

  async #runAlone(ticket: Ticket, lane: Lane, isExclusive: boolean): Promise<void> {
    try {
      this.#finish(ticket, lane, { kind: 'done', result: await lane.infer(ticket.toInferRequest()) });
    } catch (error) {
      this.#finish(ticket, lane, { kind: 'failed', error });
    }
    if (isExclusive) this.#isExclusive = false;
    this.#pump();
  }

  async #runPair(ticket: Ticket, lane: Lane, shadow: Shadow): Promise<void> {
    const pair = await this.#pairs.run(lane, shadow.lane, ticket, (run) => this.#finish(ticket, lane, run));
    this.#isExclusive = false;
    if (pair !== null && this.#shadow === shadow) shadow.listener.pair(pair);
    this.#pump();
  }

  #finish(ticket: Ticket, lane: Lane, run: Finished): void {
    if (run.kind === 'done') return this.#settlement.answer(ticket, lane, run.result);
    const mayRetry = isWorkerLoss(run.error) && !ticket.isRetry && !ticket.isSettled && !this.#isDisposed;
    if (!mayRetry) return this.#settlement.fail(ticket, lane, run.error);
    this.#settlement.workerDied(ticket, lane);
    ticket.isRetry = true;
    this.#queue.pushRetry(ticket);
  }

  #tooLate(ticket: Ticket, deadlineMs: number): void {
    this.#queue.remove(ticket);
    const error = new HoldfastError('deadline-exceeded', `no answer within ${Math.round(deadlineMs)} ms`, {
      hint: 'allow more time, or send fewer requests at a time',
    });
    this.#settlement.fail(ticket, this.#active, error);
    this.#pump();
  }
}

function notServing(what: string): HoldfastError {
  return new HoldfastError('not-serving', what, { hint: 'wait for a deployment, or roll back' });
}
