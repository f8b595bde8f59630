// The one step that is being carried out: its deadline, its progress, and its end by result, by deadline
// or by abort. Invariant: whatever a step throws, the deployment gets an event or was moved on already.

import { STATE_DEADLINE_MS } from '#protocol/deployment.ts';
import type { DeploymentState } from '#protocol/deployment.ts';
import { describeError } from '#protocol/errors.ts';
import type { JournalDeployment } from '../ports/journal.ts';
import type { Timer } from '../ports/clock.ts';
import { download } from './steps/download.ts';
import { golden } from './steps/golden.ts';
import { load } from './steps/load.ts';
import { notified } from './steps/notified.ts';
import { preflight } from './steps/preflight.ts';
import { probation } from './steps/probation.ts';
import { shadow } from './steps/shadow.ts';
import type { Step, StepDeps, StepResult } from './steps/step.ts';
import { verify } from './steps/verify.ts';

/** Steps that run beside the loop; `activating` is the loop's own (activation.ts). */
const STEPS: Partial<Record<DeploymentState, Step>> = {
  notified,
  preflight,
  downloading: download,
  verifying: verify,
  loading: load,
  golden,
  shadow,
  probation,
};

/** Steps that end by themselves in time. */
const OWN_DEADLINE: ReadonlySet<DeploymentState> = new Set(['notified', 'shadow', 'probation']);

export interface StepEnd extends StepResult {
  readonly seq: number;
  readonly state: DeploymentState;
}

export class RunningStep {
  readonly seq: number;
  readonly state: DeploymentState;
  progressPct: number | null = null;
  readonly #stopping = new AbortController();
  readonly #done: Promise<void>;
  #deadline: Timer | null = null;

  constructor(
    deployment: JournalDeployment,
    deps: StepDeps,
    tell: { readonly end: (end: StepEnd) => void; readonly progress: () => void },
  ) {
    this.seq = deployment.report.seq;
    this.state = deployment.report.state;
    this.#done = this.#run(deployment, deps, tell.progress).then((result) => {
      if (result !== null) tell.end({ ...result, seq: this.seq, state: this.state });
    });
  }

  /** Resolves once the step let go of everything; it tells nothing after that. */
  async abort(): Promise<void> {
    this.#stopping.abort(new Error(`the deployment is no longer ${this.state}`));
    await this.#done;
  }

  async #run(
    deployment: JournalDeployment,
    deps: StepDeps,
    onProgress: () => void,
  ): Promise<StepResult | null> {
    const { signal } = this.#stopping;
    const step = STEPS[this.state];
    if (step === undefined) return null;
    const late = Promise.withResolvers<StepResult>();
    if (!OWN_DEADLINE.has(this.state)) this.#armDeadline(deps, late.resolve);
    try {
      const context = {
        deployment,
        deps,
        signal,
        onProgress: (progressPct: number): void => {
          this.progressPct = progressPct;
          onProgress();
        },
      };
      const result = await Promise.race([step(context), late.promise]);
      return signal.aborted ? null : result;
    } catch (error) {
      if (signal.aborted) return null;
      deps.logger.error('a step of the deployment broke', { state: this.state, error });
      const event = this.state === 'probation' ? 'probation-worse' : 'fail';
      return { event, reason: 'internal', detail: describeError(error) };
    } finally {
      this.#deadline?.cancel();
    }
  }

  #armDeadline(deps: StepDeps, end: (result: StepResult) => void): void {
    const limitMs = STATE_DEADLINE_MS[this.state as keyof typeof STATE_DEADLINE_MS];
    this.#deadline = deps.clock.after(limitMs, () => {
      end({ event: 'timeout', reason: 'timeout', detail: `${this.state} took longer than ${limitMs} ms` });
    });
  }
}
