// What a rollout must do next, from its rows and the time alone. Pure: the controller carries it out and
// asks again, so a control plane that is started again in the middle of a wave goes on where it was.

import { isDeploymentEnded, type DeploymentState } from '#protocol/deployment.ts';
import type { Rollout, RolloutDevice } from '#protocol/rollout.ts';
import { cohortFindings, rollbacksHalt } from './analysis.ts';
import type { RolloutEvent } from './phase-machine.ts';
import { isSkip } from './skip-reason.ts';

/** `running` is the version in service that the device last reported, for the rollout's model. */
export type DeviceView = RolloutDevice & { readonly running: number | null };
export type RolloutView = Omit<Rollout, 'devices'> & { readonly devices: readonly DeviceView[] };

export type RolloutAction =
  | { readonly kind: 'order'; readonly deviceId: string }
  | { readonly kind: 'order-back'; readonly deviceId: string; readonly version: number }
  | { readonly kind: 'expire'; readonly deviceId: string; readonly which: 'forward' | 'back' }
  | { readonly kind: 'strayed'; readonly deviceId: string }
  | { readonly kind: 'nothing-to-go-back-to'; readonly deviceId: string }
  | { readonly kind: 'start-soak'; readonly untilMs: number }
  | { readonly kind: 'next-wave' }
  | { readonly kind: 'phase'; readonly event: RolloutEvent; readonly reason: string };

const TURNED_BACK: readonly DeploymentState[] = ['failed', 'rolled-back', 'cancelled'];

/** The next actions, in order; empty when there is nothing to do before the next report or deadline. */
export function reconcileRollout(rollout: RolloutView, nowMs: number): RolloutAction[] {
  switch (rollout.phase) {
    case 'scheduled':
      return (rollout.plan.startAtMs ?? 0) <= nowMs
        ? [{ kind: 'phase', event: 'due', reason: 'its time has come' }]
        : [];
    case 'progressing':
      return progress(rollout, nowMs);
    case 'rolling-back':
      return revert(rollout, nowMs);
    case 'aborted':
      return unfinished(rollout).flatMap((device) => orderBack(device));
    default:
      return [];
  }
}

function progress(rollout: RolloutView, nowMs: number): RolloutAction[] {
  const stopped = verdict(rollout);
  if (stopped !== null) return [stopped];
  const wave = rollout.devices.filter((device) => device.wave === rollout.wave);
  const strayed = rollout.devices.filter((device) => hasStrayed(device, rollout.version));
  if (strayed.length > 0) return strayed.map(({ deviceId }) => ({ kind: 'strayed', deviceId }));
  const waiting = wave.filter((device) => device.seq === null && !isDeploymentEnded(device.state));
  if (waiting.length > 0) return waiting.map(({ deviceId }) => ({ kind: 'order', deviceId }));
  const late = wave.filter(
    (device) => !isDeploymentEnded(device.state) && isLate(device.startedAtMs, rollout, nowMs),
  );
  if (late.length > 0) return late.map(({ deviceId }) => ({ kind: 'expire', deviceId, which: 'forward' }));
  if (!wave.every((device) => isDeploymentEnded(device.state))) return [];
  if (rollout.soakUntilMs === null) {
    return [{ kind: 'start-soak', untilMs: nowMs + (rollout.plan.waves[rollout.wave]?.soakMs ?? 0) }];
  }
  if (nowMs < rollout.soakUntilMs) return [];
  if (rollout.devices.some((device) => device.wave > rollout.wave)) return [{ kind: 'next-wave' }];
  const healthy = rollout.devices.filter((device) => device.state === 'healthy').length;
  const reason = `${healthy} of ${rollout.devices.length} devices run version ${rollout.version}`;
  return [{ kind: 'phase', event: 'all-waves-healthy', reason }];
}

/** The first gate that says stop, if any. */
function verdict(rollout: RolloutView): RolloutAction | null {
  const held = rollout.devices.find((device) => device.state === 'held');
  if (held !== undefined) {
    const why = lastSummary(held) ?? held.reason ?? 'a device holds it';
    return { kind: 'phase', event: 'hold', reason: `held for a person on ${held.deviceId}: ${why}` };
  }
  const turnedBack = rollout.devices.filter(
    (device) => TURNED_BACK.includes(device.state) && !isSkip(device.reason),
  );
  const inWave = turnedBack.filter((device) => device.wave === rollout.wave);
  const stayed = rollout.devices.filter((device) => device.state === 'healthy').length;
  const finding = cohortFindings(rollout.devices).find((one) => one.rejected);
  const first = inWave[0];
  let reason: string | null = null;
  if (first !== undefined && inWave.length > rollout.plan.gates.maxFailedPerWave) {
    const why = lastSummary(first) ?? first.detail ?? '';
    reason = `${first.deviceId} ${first.state} (${first.reason ?? 'no reason given'})${why === '' ? '' : `: ${why}`}`;
  } else if (rollbacksHalt(turnedBack.length, stayed)) {
    reason = `${turnedBack.length} devices turned back against ${stayed} that stayed`;
  } else if (finding !== undefined) {
    reason = `${finding.gate} is worse across ${finding.devices} ${finding.profile} devices (e = 10^${finding.log10E.toFixed(1)})`;
  }
  if (reason === null) return null;
  return {
    kind: 'phase',
    event: rollout.plan.gates.onFailure === 'rollback' ? 'gate-failed' : 'pause',
    reason,
  };
}

function revert(rollout: RolloutView, nowMs: number): RolloutAction[] {
  const touched = rollout.devices.filter((device) => device.seq !== null);
  const waiting = touched.filter((device) => device.rollbackState === null);
  if (waiting.length > 0) return waiting.flatMap((device) => orderBack(device));
  const open = touched.filter(
    (device) => device.rollbackState !== null && !isDeploymentEnded(device.rollbackState),
  );
  const late = open.filter((device) => isLate(device.startedAtMs, rollout, nowMs));
  if (late.length > 0) return late.map(({ deviceId }) => ({ kind: 'expire', deviceId, which: 'back' }));
  if (open.length > 0) return [];
  const back = touched.filter((device) => device.rollbackState === 'healthy').length;
  const missed = touched.length - back;
  const reason = `${rollout.reason ?? 'rolled back'}; ${back} devices are back${missed === 0 ? '' : `, ${missed} are not`}`;
  return [{ kind: 'phase', event: 'reverted', reason }];
}

function orderBack(device: DeviceView): RolloutAction[] {
  return device.fromVersion === null
    ? [{ kind: 'nothing-to-go-back-to', deviceId: device.deviceId }]
    : [{ kind: 'order-back', deviceId: device.deviceId, version: device.fromVersion }];
}

/** Devices an aborted rollout left in the middle; those that run the new version healthily keep it. */
function unfinished(rollout: RolloutView): DeviceView[] {
  return rollout.devices.filter(
    (device) => device.seq !== null && device.state !== 'healthy' && device.rollbackState === null,
  );
}

/** Healthy once, but the device now reports that something else serves (a local rollback). */
function hasStrayed(device: DeviceView, version: number): boolean {
  return device.state === 'healthy' && device.running !== null && device.running !== version;
}

function isLate(startedAtMs: number | null, rollout: RolloutView, nowMs: number): boolean {
  return startedAtMs !== null && nowMs - startedAtMs > rollout.plan.gates.deviceDeadlineMs;
}

/** What spoke against the device's candidate; what was left open only when nothing did. */
function lastSummary({ evidence }: DeviceView): string | undefined {
  const against = evidence.findLast((one) => one.verdict === 'fail');
  return (against ?? evidence.findLast((one) => one.verdict === 'inconclusive'))?.summary;
}
