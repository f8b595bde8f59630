// One deployment as the journal holds it, moved only along the transition table of protocol/deployment.ts.
// Invariants: every move is in the history with its reason; evidence and history stay within what a report
// may carry; an ended deployment never changes again.

import { isDeploymentEnded, stepDeployment } from '#protocol/deployment.ts';
import type { DeploymentEvent, DeploymentReason, DeploymentState } from '#protocol/deployment.ts';
import type { Evidence } from '#protocol/evidence.ts';
import { modelNameSchema, versionNumberSchema } from '#protocol/identifiers.ts';
import type { DesiredBody, Transition } from '#protocol/messages.ts';
import type { InstalledRelease, JournalDeployment, JournalState } from '../ports/journal.ts';
import type { VerifiedOrder } from '../ports/release-verifier.ts';
import { activeRelease } from './journal-state.ts';
import { withEvent } from './outbox.ts';

const MAX_HISTORY = 64;
const MAX_EVIDENCE = 32;
const MAX_DETAIL_CHARS = 1_000;

export interface EventDetails {
  readonly atMs: number;
  readonly reason?: DeploymentReason | undefined;
  readonly detail?: string | undefined;
  readonly evidence?: readonly Evidence[] | undefined;
}

/** A deployment of which only the hint is known: it waits in `notified` for the signed order. */
export function deploymentFromHint(hint: DesiredBody, atMs: number): JournalDeployment {
  const queued: JournalDeployment = {
    report: {
      rolloutId: hint.rolloutId,
      seq: hint.seq,
      ...releaseOfPath(hint.targetPath),
      state: 'queued',
      attempts: 1,
      evidence: [],
      history: [],
    },
    order: null,
    manifest: null,
    stateSinceMs: atMs,
  };
  return moved(queued, 'notify', { atMs });
}

export function deploymentFromOrder(order: VerifiedOrder, atMs: number): JournalDeployment {
  const { rolloutId, seq } = order.order;
  return { ...deploymentFromHint({ rolloutId, seq, targetPath: order.targetPath }, atMs), order };
}

/** The deployment after an event, with the evidence of the present attempt; the very same value when the event means nothing in its state. */
export function moved(
  deployment: JournalDeployment,
  event: DeploymentEvent,
  details: EventDetails,
): JournalDeployment {
  const { report } = deployment;
  const to = stepDeployment(report.state, event);
  if (to === null) return deployment;
  const { atMs, reason, evidence = [] } = details;
  const detail = details.detail?.slice(0, MAX_DETAIL_CHARS);
  const told = {
    ...(reason === undefined ? {} : { reason }),
    ...(detail === undefined ? {} : { detail }),
  };
  return {
    ...deployment,
    report: {
      ...report,
      ...told,
      state: to,
      evidence: [...(event === 'restarted' ? [] : report.evidence), ...evidence].slice(-MAX_EVIDENCE),
      history: shortened([...report.history, { from: report.state, to, atMs, ...told }]),
    },
    stateSinceMs: atMs,
  };
}

/** Sets the deployment and tells the control plane of it. */
export function withDeployment(state: JournalState, deployment: JournalDeployment): JournalState {
  return withEvent({ ...state, deployment }, { kind: 'deployment', report: deployment.report });
}

export function isOpen(deployment: JournalDeployment | null): deployment is JournalDeployment {
  return deployment !== null && !isDeploymentEnded(deployment.report.state);
}

/** True when the pointer already shows to what this deployment brings. */
export function isFlipped(state: JournalState): boolean {
  const order = state.deployment?.order;
  return order != null && activeRelease(state)?.manifestBlob.sha256 === order.manifestSha256;
}

export function isSameRelease(installed: InstalledRelease | null, order: VerifiedOrder): boolean {
  return installed?.manifestBlob.sha256 === order.manifestSha256;
}

/** States in which a release was put in service and may still be taken out. */
export function isUnproven(state: DeploymentState): boolean {
  return state === 'activating' || state === 'probation';
}

/** Keeps the beginning, which says where it came from, and the newest moves. */
function shortened(history: Transition[]): Transition[] {
  return history.length <= MAX_HISTORY
    ? history
    : [...history.slice(0, 2), ...history.slice(2 - MAX_HISTORY)];
}

/** What a target path names, as far as it is a proper one. */
function releaseOfPath(targetPath: string): { model?: string; version?: number } {
  const [name, number] = targetPath.split('/');
  const model = modelNameSchema.safeParse(name);
  const version = versionNumberSchema.safeParse(Number(number));
  return model.success && version.success ? { model: model.data, version: version.data } : {};
}
