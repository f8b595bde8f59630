// One slot's worker as the serving path uses it. Invariant: a worker that dies is started again by the same
// load, unless its weights crashed too often, it was the candidate, or the lane was retired.

import { describeError, errorCodeOf, HoldfastError } from '#protocol/errors.ts';
import type { RunningRelease } from '#protocol/messages.ts';
import type { SlotName } from '../../ports/journal.ts';
import type { InferRequest, InferResult, LoadRequest, WorkerHandle } from '../../ports/runtime.ts';
import type { CrashCounter } from './crash-counter.ts';
import type { ServedSlot, ServingDeps, ServingLimits, WorkerCrash } from './serving-types.ts';

/** `down` waits for its worker to be started again, `dead` never will be, `retired` is over. */
type LaneState = 'ready' | 'down' | 'dead' | 'retired';

export interface LaneDeps extends ServingDeps {
  readonly limits: ServingLimits;
  readonly crashes: CrashCounter;
  /** Something changed that may let a request go on: the lane came back, died, or got idle. */
  readonly onChange: () => void;
}

const FIRST_RESTART_DELAY_MS = 50;

export class Lane {
  readonly slot: SlotName;
  readonly release: RunningRelease;
  readonly load: LoadRequest;
  /** The candidate is not started again: its crash is a verdict. */
  isCandidate: boolean;
  onLost: (crash: WorkerCrash) => void = () => undefined;
  readonly #deps: LaneDeps;
  #worker: WorkerHandle;
  #state: LaneState = 'ready';
  #inFlight = 0;
  readonly #drained: (() => void)[] = [];
  /** The worker that is being started in place of a dead one. */
  #starting: WorkerHandle | null = null;
  #restarted: Promise<void> = Promise.resolve();
  /** Ends the pause before the next attempt. */
  #endPause: () => void = () => undefined;

  constructor(served: ServedSlot, isCandidate: boolean, deps: LaneDeps) {
    this.slot = served.slot;
    this.release = served.release;
    this.load = served.load;
    this.isCandidate = isCandidate;
    this.#deps = deps;
    this.#worker = served.worker;
    this.#watch(served.worker);
  }

  get state(): LaneState {
    return this.#state;
  }

  get worker(): WorkerHandle {
    return this.#worker;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  async infer(request: InferRequest): Promise<InferResult> {
    const worker = this.#worker;
    this.#inFlight++;
    try {
      return await worker.infer(request);
    } catch (error) {
      if (isWorkerLoss(error)) this.#lost(worker, describeError(error));
      throw error;
    } finally {
      this.#inFlight--;
      if (this.#inFlight === 0) for (const tell of this.#drained.splice(0)) tell();
    }
  }

  /** Resolves when nothing is in flight. */
  async drained(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  /** Ends the worker for good. */
  async retire(): Promise<void> {
    this.#state = 'retired';
    this.#starting?.kill();
    this.#endPause();
    await Promise.all([this.#worker[Symbol.asyncDispose](), this.#restarted]);
  }

  #watch(worker: WorkerHandle): void {
    void worker.exited.then(({ code, signal }) =>
      this.#lost(worker, signal === null ? `ended with code ${code}` : `ended by ${signal}`),
    );
  }

  /** Called for a death once, by whoever sees it first. */
  #lost(worker: WorkerHandle, detail: string): void {
    if (this.#state !== 'ready' || worker !== this.#worker) return;
    this.#state = 'down';
    worker.kill();
    if (this.#countCrash(detail)) this.#restarted = this.#restart();
    this.#deps.onChange();
  }

  /** False when the worker must not be started again. */
  #countCrash(detail: string): boolean {
    const { crashes, clock, limits, listener } = this.#deps;
    const recentCrashes = crashes.add(this.release.weightsSha256, clock.monotonicMs());
    const crash = { release: this.release, slot: this.slot, detail, recentCrashes };
    listener.crashed?.(crash);
    const isTooOften = recentCrashes >= limits.crashLimit;
    if (!isTooOften && !this.isCandidate) return true;
    this.#state = 'dead';
    this.#deps.onChange();
    if (isTooOften) listener.quarantined?.(crash);
    this.onLost(crash);
    return false;
  }

  /** Tries until a worker is ready, the weights have crashed too often, or the lane is retired. */
  async #restart(): Promise<void> {
    await this.#worker.exited;
    for (let delayMs = FIRST_RESTART_DELAY_MS; this.#state === 'down'; delayMs *= 2) {
      try {
        this.#worker = await this.#start();
        if (this.#state === 'down') this.#state = 'ready';
        this.#watch(this.#worker);
      } catch (error) {
        if (this.#state !== 'down' || !this.#countCrash(describeError(error))) break;
        await this.#pause(delayMs);
      }
    }
    if (this.#state === 'retired') await this.#worker[Symbol.asyncDispose]();
    this.#deps.onChange();
  }

  async #pause(delayMs: number): Promise<void> {
    const pause = Promise.withResolvers<void>();
    const timer = this.#deps.clock.after(delayMs, pause.resolve);
    this.#endPause = pause.resolve;
    await pause.promise;
    timer.cancel();
  }

  async #start(): Promise<WorkerHandle> {
    const worker = await this.#deps.runtime.spawn(this.slot);
    this.#starting = worker;
    try {
      if (this.#state === 'retired') throw new HoldfastError('cancelled', 'the slot is not needed any more');
      await worker.load(this.load);
      await worker.warmUp(this.#deps.limits.warmUpRounds);
      return worker;
    } catch (error) {
      await worker[Symbol.asyncDispose]();
      throw error;
    } finally {
      this.#starting = null;
    }
  }
}

export function isWorkerLoss(error: unknown): boolean {
  const code = errorCodeOf(error);
  return code === 'worker-crashed' || code === 'worker-hung' || code === 'memory-short';
}
