// What the agent remembers after something happened: journal state and happening in, journal state out.
// Invariants: a deployment moves only along the table; `highestSeq` never falls; what serves is installed;
// every move of a deployment is in the outbox in the same write.

import { MAX_ATTEMPTS } from '#protocol/deployment.ts';
import type { DeploymentReason } from '#protocol/deployment.ts';
import type { DesiredBody } from '#protocol/messages.ts';
import type { JournalDeployment, JournalState } from '../ports/journal.ts';
import {
  deploymentFromHint,
  isFlipped,
  isOpen,
  isUnproven,
  moved,
  withDeployment,
} from './deployment-journal.ts';
import type { Happening, Reconciled } from './happening.ts';
import { activeRelease, previousRelease } from './journal-state.ts';
import { superseded, takeOrder } from './order.ts';
import { withEvent } from './outbox.ts';
import { exchange, flipBack, flipForward } from './pointer.ts';

const MAX_QUARANTINED = 100;

export function reconcile(state: JournalState, happening: Happening, atMs: number): Reconciled {
  switch (happening.kind) {
    case 'boot':
      return applied(state, afterBoot(state, happening.boot, happening.profile, atMs));
    case 'hint':
      return applied(state, afterHint(state, happening.hint, atMs));
    case 'order':
      return takeOrder(state, happening.order, atMs);
    case 'step':
      return applied(state, afterStep(state, happening, atMs));
    case 'manifest':
      return applied(state, withManifest(state, happening.seq, happening.manifest, atMs));
    case 'flip': {
      const { deployment } = state;
      const isDue = deployment?.report.seq === happening.seq && deployment.report.state === 'activating';
      return applied(state, isDue && !isFlipped(state) ? flipForward(state, happening.installed) : state);
    }
    case 'quarantined': {
      const listed = state.quarantined.filter((sha256) => sha256 !== happening.sha256);
      const quarantined = [...listed, happening.sha256].slice(-MAX_QUARANTINED);
      const isServing = activeRelease(state)?.running.weightsSha256 === happening.sha256;
      const after = { ...state, quarantined };
      return applied(state, isServing ? leaveActive(after, 'worker-crashed', happening.detail, atMs) : after);
    }
    case 'unservable':
      return applied(state, leaveActive(state, 'load-failed', happening.detail, atMs));
    case 'local-rollback':
      return rolledBackLocally(state, atMs);
  }
}

function applied(before: JournalState, after: JournalState): Reconciled {
  return { state: after, verdict: after === before ? 'ignored' : 'applied' };
}

/** A hint is not proven: it disturbs no deployment that was, and it moves no counter. */
function afterHint(state: JournalState, hint: DesiredBody, atMs: number): JournalState {
  const { deployment } = state;
  const isBusy = isOpen(deployment) && (deployment.order !== null || deployment.report.seq >= hint.seq);
  if (isBusy || hint.seq <= state.highestSeq) return state;
  return withDeployment(superseded(state, hint.seq, atMs), deploymentFromHint(hint, atMs));
}

function afterBoot(before: JournalState, boot: string, profile: string, atMs: number): JournalState {
  const state = { ...before, bootCount: before.bootCount + 1, boot, nextOutboxSeq: 1, profile };
  if (!isOpen(state.deployment) || state.deployment.order === null) return state;
  let deployment = state.deployment;
  if (deployment.report.state === 'activating' && isFlipped(state)) {
    deployment = moved(deployment, 'activated', { atMs });
  }
  const attempts = deployment.report.attempts + 1;
  deployment = { ...deployment, report: { ...deployment.report, attempts }, stateSinceMs: atMs };
  const detail = `the agent was restarted ${attempts - 1} times during this deployment`;
  const crashLoop = { atMs, reason: 'crash-loop', detail } as const;
  if (attempts > MAX_ATTEMPTS) return ended(state, deployment, crashLoop);
  return withDeployment(state, moved(deployment, 'restarted', { atMs }));
}

function afterStep(
  state: JournalState,
  step: Extract<Happening, { kind: 'step' }>,
  atMs: number,
): JournalState {
  const { deployment } = state;
  if (deployment?.report.seq !== step.seq || deployment.report.state !== step.state) return state;
  if (step.event === 'activated' && !isFlipped(state)) return state;
  const next = moved(deployment, step.event, { ...step, atMs });
  if (next === deployment) return state;
  const goesBack = next.report.state === 'rolled-back' && isFlipped(state);
  return withDeployment(goesBack ? flipBack(state, atMs) : state, next);
}

function withManifest(
  state: JournalState,
  seq: number,
  manifest: NonNullable<JournalDeployment['manifest']>,
  atMs: number,
): JournalState {
  const { deployment } = state;
  if (!isOpen(deployment) || deployment.report.seq !== seq) return state;
  const { sha256 } = manifest.variant.weights;
  const known = { ...deployment, manifest };
  if (!state.quarantined.includes(sha256)) return { ...state, deployment: known };
  const detail = `weights ${sha256} crashed too often on this device`;
  return ended(state, known, { atMs, reason: 'quarantined', detail });
}

interface Ending {
  readonly atMs: number;
  readonly reason: DeploymentReason;
  readonly detail: string;
}

/** Ends an open deployment as failed or rolled back, whichever its state allows, and goes back if it already served. */
function ended(state: JournalState, deployment: JournalDeployment, ending: Ending): JournalState {
  const isProbation = deployment.report.state === 'probation';
  const next = moved(deployment, isProbation ? 'probation-worse' : 'fail', ending);
  const after = withDeployment(state, next);
  return isUnproven(deployment.report.state) && isFlipped(state) ? flipBack(after, ending.atMs) : after;
}

/** The release in service must not go on: back to the one before it, if there is one. */
function leaveActive(
  state: JournalState,
  reason: DeploymentReason,
  detail: string,
  atMs: number,
): JournalState {
  const { deployment } = state;
  const isOnTrial = isOpen(deployment) && isUnproven(deployment.report.state) && isFlipped(state);
  if (isOnTrial) return ended(state, deployment, { atMs, reason, detail });
  const from = activeRelease(state);
  const to = previousRelease(state);
  if (from === null || to === null || state.quarantined.includes(to.running.weightsSha256)) return state;
  const back = withEvent(flipBack(state, atMs), {
    kind: 'local-rollback',
    from: from.running,
    to: to.running,
    atMs,
  });
  if (!isOpen(deployment) || deployment.order === null) return back;
  return withDeployment(back, moved(deployment, 'restarted', { atMs }));
}

function rolledBackLocally(state: JournalState, atMs: number): Reconciled {
  const from = activeRelease(state);
  const to = previousRelease(state);
  if (from === null || to === null) {
    return {
      state,
      verdict: { code: 'no-previous-version', detail: 'there is no version before the one in service' },
    };
  }
  const ending = {
    atMs,
    reason: 'local-rollback',
    detail: 'a person beside the device rolled back',
  } as const;
  const { deployment } = state;
  const isOnTrial = isOpen(deployment) && isUnproven(deployment.report.state) && isFlipped(state);
  let after: JournalState;
  if (isOnTrial) after = ended(state, deployment, ending);
  else if (!isOpen(deployment)) after = exchange(state, atMs);
  else {
    const event = deployment.report.state === 'activating' ? 'fail' : 'cancel';
    after = exchange(withDeployment(state, moved(deployment, event, ending)), atMs);
  }
  const event = { kind: 'local-rollback', from: from.running, to: to.running, atMs } as const;
  return applied(state, withEvent(after, event));
}
