// Drives the deployment in hand: what happens is taken one at a time, what follows is written down, then
// the world is brought to it (domain/plan.ts) and the next step begun. Invariants: nothing is acted on
// before it is on disk; one step runs at a time; a step whose deployment moved on is aborted and ignored.

import { isRefusal, type Happening, type Reconciled } from '../domain/happening.ts';
import { neededDigests } from '../domain/journal-state.ts';
import { planOf } from '../domain/plan.ts';
import type { Chance } from '../ports/clock.ts';
import { sleep } from '../ports/sleep.ts';
import { activate } from './activation.ts';
import { Convergence } from './convergence.ts';
import { RunningStep } from './running-step.ts';
import type { StepDeps } from './steps/step.ts';

type Verdict = Reconciled['verdict'];

interface Told {
  readonly happening: Happening;
  readonly done: PromiseWithResolvers<Verdict>;
}

const JOURNAL_RETRY_MS = 1_000;

export interface RunnerDeps extends StepDeps {
  readonly chance: Chance;
  /** Called after a swap, so that no telemetry window spans it. */
  readonly onSwap: () => void;
  readonly onProgress: () => void;
}

export class DeploymentRunner implements AsyncDisposable {
  readonly #deps: RunnerDeps;
  readonly #convergence: Convergence;
  readonly #stopping = new AbortController();
  readonly #told: Told[] = [];
  readonly #waiting: PromiseWithResolvers<void>[] = [];
  #wake = Promise.withResolvers<void>();
  #step: RunningStep | null = null;
  #deferred: Happening | null = null;
  /** Blobs on disk may be of no use any more. */
  #isUntidy = true;
  #loop: Promise<void> | null = null;

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
    this.#convergence = new Convergence({
      ...deps,
      signal: this.#stopping.signal,
      tell: (happening) => void this.tell(happening),
      again: () => this.#wake.resolve(),
    });
  }

  /** Share of the download that is there, 0 to 100; null when nothing is being downloaded. */
  get progressPct(): number | null {
    return this.#step?.progressPct ?? null;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Resolves with the verdict once what follows is on disk; the world is brought to it after that. */
  tell(happening: Happening): Promise<Verdict> {
    const done = Promise.withResolvers<Verdict>();
    this.#told.push({ happening, done });
    this.#wake.resolve();
    return done.promise;
  }

  /** Resolves when all that was told is taken and what should serve was tried. */
  settled(): Promise<void> {
    const settled = Promise.withResolvers<void>();
    this.#waiting.push(settled);
    this.#wake.resolve();
    return settled.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new Error('the agent stops'));
    this.#wake.resolve();
    await this.#loop;
    await this.#step?.abort();
    this.#convergence[Symbol.dispose]();
    for (const { done } of this.#told.splice(0)) done.resolve('ignored');
    for (const settled of this.#waiting.splice(0)) settled.resolve();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const next = this.#told.shift();
      if (next !== undefined) {
        next.done.resolve(await this.#take(next.happening));
        continue;
      }
      this.#wake = Promise.withResolvers<void>();
      const settling = this.#waiting.splice(0);
      await this.#settle();
      for (const settled of settling) settled.resolve();
      if (!signal.aborted) await this.#wake.promise;
    }
  }

  /** Writes down what follows, and takes up again an order that had to wait for this deployment. */
  async #take(happening: Happening): Promise<Verdict> {
    const { keeper, logger } = this.#deps;
    const before = keeper.state.deployment?.report;
    const verdict = await this.#write(happening);
    if (verdict === 'deferred') this.#deferred = happening;
    if (isRefusal(verdict)) logger.warn('refused', { happening: happening.kind, ...verdict });
    const after = keeper.state.deployment?.report;
    if (after === undefined || (after.seq === before?.seq && after.state === before.state)) return verdict;
    const { rolloutId, seq, version, state, reason, detail } = after;
    logger.info('deployment', { rolloutId, seq, version, state, reason, detail });
    this.#isUntidy = true;
    if (this.#deferred !== null) void this.tell(this.#deferred);
    this.#deferred = null;
    return verdict;
  }

  /** A journal that cannot be written (full disk) is tried again: acting without it is not allowed. */
  async #write(happening: Happening): Promise<Verdict> {
    const { keeper, logger, clock } = this.#deps;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await keeper.happened(happening);
      } catch (error) {
        const level = attempt === 1 ? 'error' : 'debug';
        logger[level]('the journal could not be written; trying again', { happening: happening.kind, error });
      }
      try {
        await sleep(clock, JOURNAL_RETRY_MS, this.#stopping.signal);
      } catch (error) {
        logger.debug('stopped before the journal could be written', { error });
        return 'ignored';
      }
    }
  }

  /** Brings processes, steps and disk to what the journal says. */
  async #settle(): Promise<void> {
    const { keeper, slots, artifacts, clock, logger } = this.#deps;
    try {
      await this.#endStaleStep();
      const plan = planOf(keeper.state);
      if (!plan.candidate) await slots.dropCandidate();
      if (plan.step?.state === 'activating') {
        const convergence = this.#convergence;
        await activate({ keeper, slots, convergence, clock, write: (what) => this.#take(what) });
        this.#wake.resolve();
        return;
      }
      await this.#convergence.reach(plan);
      if (plan.step !== null) this.#begin();
      else if (this.#isUntidy) {
        await artifacts.keepOnly(neededDigests(keeper.state));
        this.#isUntidy = false;
      }
    } catch (error) {
      logger.error('the agent could not be brought to its plan', { error });
    }
  }

  async #endStaleStep(): Promise<void> {
    const step = this.#step;
    const wanted = planOf(this.#deps.keeper.state).step;
    if (step === null || (step.seq === wanted?.seq && step.state === wanted.state)) return;
    await step.abort();
    this.#step = null;
  }

  #begin(): void {
    const { deployment } = this.#deps.keeper.state;
    if (this.#step !== null || deployment === null || this.#stopping.signal.aborted) return;
    this.#step = new RunningStep(deployment, this.#deps, {
      end: (end) => void this.tell({ kind: 'step', ...end }),
      progress: this.#deps.onProgress,
    });
  }
}
