// Taking an order that both repositories agree on. Invariants: an older order than the highest ever taken
// is a replay; a newer one supersedes whatever runs, but never cuts off the moment of activation, nor a
// probation of the very release that it names.

import type { JournalState } from '../ports/journal.ts';
import type { VerifiedOrder } from '../ports/release-verifier.ts';
import {
  deploymentFromOrder,
  isFlipped,
  isOpen,
  isSameRelease,
  moved,
  withDeployment,
} from './deployment-journal.ts';
import type { Reconciled } from './happening.ts';
import { activeRelease } from './journal-state.ts';
import { flipBack } from './pointer.ts';

export function takeOrder(state: JournalState, order: VerifiedOrder, atMs: number): Reconciled {
  const { seq, profile } = order.order;
  if (seq < state.highestSeq) {
    const detail = `order ${seq} is older than order ${state.highestSeq}, which this device already took`;
    return { state, verdict: { code: 'replayed', detail } };
  }
  if (seq === state.highestSeq) return { state, verdict: 'ignored' };
  if (mustWait(state, order)) return { state, verdict: 'deferred' };

  const cleared = superseded(state, seq, atMs);
  const known = cleared.deployment;
  const isHinted = isOpen(known) && known.report.seq === seq;
  const deployment = isHinted ? { ...known, order } : deploymentFromOrder(order, atMs);
  const event = isSameRelease(activeRelease(cleared), order) ? 'already-serving' : 'order-verified';
  const wrongProfile = state.profile !== null && profile !== state.profile;
  const next = wrongProfile
    ? moved(deployment, 'fail', {
        atMs,
        reason: 'metadata-refused',
        detail: `the order is for profile ${profile}, this device is ${state.profile}`,
      })
    : moved(deployment, event, { atMs });
  return { state: withDeployment({ ...cleared, highestSeq: seq }, next), verdict: 'applied' };
}

function mustWait(state: JournalState, order: VerifiedOrder): boolean {
  const { deployment } = state;
  if (deployment?.report.state === 'activating') return true;
  return (
    deployment?.report.state === 'probation' && deployment.order?.manifestSha256 === order.manifestSha256
  );
}

/** Ends what runs. A release still on probation is left for the proven one, so that the new order is tried beside that. */
export function superseded(state: JournalState, bySeq: number, atMs: number): JournalState {
  const { deployment } = state;
  if (!isOpen(deployment) || deployment.report.seq === bySeq) return state;
  const next = moved(deployment, 'supersede', {
    atMs,
    reason: 'superseded',
    detail: `order ${bySeq} came`,
  });
  const after = withDeployment(state, next);
  const goesBack = deployment.report.state === 'probation' && isFlipped(state) && state.previous !== null;
  return goesBack ? flipBack(after, atMs) : after;
}
