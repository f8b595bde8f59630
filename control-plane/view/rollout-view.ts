// A rollout as a rail of waves: one view model behind the terminal and the console.

import { isDeploymentEnded } from '#protocol/deployment.ts';
import type { Evidence } from '#protocol/evidence.ts';
import type { Rollout, RolloutDevice, RolloutPhase } from '#protocol/rollout.ts';
import { durationInWords, phaseTone, reasonInWords, stateTone, type Tone } from './words.ts';

export type RolloutCommand = 'start' | 'pause' | 'resume' | 'abort' | 'rollback';

export interface RolloutDeviceRow {
  readonly id: string;
  readonly profile: string;
  readonly state: string;
  readonly tone: Tone;
  readonly why: string | null;
  readonly evidence: readonly {
    readonly gate: string;
    readonly verdict: string;
    readonly tone: Tone;
    readonly summary: string;
  }[];
}

export interface WaveView {
  readonly index: number;
  readonly name: string;
  readonly status: 'waiting' | 'current' | 'done';
  readonly tone: Tone;
  readonly healthy: number;
  readonly total: number;
  /** What the wave is doing now, in words. */
  readonly note: string;
  readonly devices: readonly RolloutDeviceRow[];
}

export interface RolloutScreen {
  readonly id: string;
  readonly title: string;
  readonly phase: RolloutPhase;
  readonly tone: Tone;
  readonly reason: string | null;
  readonly age: string;
  readonly healthy: number;
  readonly total: number;
  readonly waves: readonly WaveView[];
  /** Commands that mean something now. */
  readonly commands: readonly RolloutCommand[];
}

const COMMANDS: Readonly<Record<RolloutPhase, readonly RolloutCommand[]>> = {
  draft: ['start', 'abort'],
  'awaiting-approval': ['start', 'abort'],
  scheduled: ['start', 'abort'],
  progressing: ['pause', 'rollback', 'abort'],
  paused: ['resume', 'rollback', 'abort'],
  'rolling-back': [],
  completed: ['rollback'],
  'rolled-back': [],
  aborted: ['rollback'],
};

export function rolloutScreen(rollout: Rollout, nowMs: number): RolloutScreen {
  const waves = rollout.plan.waves
    .map((_, index) => waveView(rollout, index, nowMs))
    .filter((wave) => wave.total > 0);
  return {
    id: rollout.id,
    title: `${rollout.model} ${rollout.version}`,
    phase: rollout.phase,
    tone: phaseTone(rollout.phase),
    reason: rollout.reason,
    age: durationInWords(nowMs - rollout.createdAtMs),
    healthy: rollout.devices.filter((device) => device.state === 'healthy').length,
    total: rollout.devices.length,
    waves,
    commands: COMMANDS[rollout.phase],
  };
}

function waveView(rollout: Rollout, index: number, nowMs: number): WaveView {
  const devices = rollout.devices.filter((device) => device.wave === index);
  const healthy = devices.filter((device) => device.state === 'healthy').length;
  const isOver = rollout.phase === 'completed' || index < rollout.wave;
  const isReached = devices.some((device) => device.seq !== null);
  const rows = devices.map(deviceRow);
  const status = isOver ? 'done' : isReached ? 'current' : 'waiting';
  return {
    index,
    name: index === 0 ? 'canary' : `wave ${index}`,
    status,
    tone: waveTone(rows, status),
    healthy,
    total: devices.length,
    note: waveNote(rollout, devices, index, nowMs, isReached),
    devices: rows,
  };
}

function waveTone(rows: readonly RolloutDeviceRow[], status: WaveView['status']): Tone {
  const tones = rows.map((row) => row.tone);
  for (const tone of ['bad', 'attention'] as const) if (tones.includes(tone)) return tone;
  if (status === 'waiting') return 'idle';
  return status === 'done' || tones.every((tone) => tone === 'good') ? 'good' : 'busy';
}

function waveNote(
  rollout: Rollout,
  devices: readonly RolloutDevice[],
  index: number,
  nowMs: number,
  isReached: boolean,
): string {
  if (!isReached)
    return ['aborted', 'rolled-back', 'rolling-back'].includes(rollout.phase) ? 'never asked' : 'waiting';
  const back = devices.filter((device) => device.rollbackState === 'healthy').length;
  if (devices.some((device) => device.rollbackState !== null))
    return `${back} of ${devices.length} back on what they ran`;
  const open = devices.filter((device) => !isDeploymentEnded(device.state)).length;
  if (open > 0) return `${open} under way`;
  if (index === rollout.wave && rollout.phase === 'progressing' && rollout.soakUntilMs !== null) {
    return `soaking, ${durationInWords(rollout.soakUntilMs - nowMs)} left`;
  }
  return `${devices.filter((device) => device.state === 'healthy').length} of ${devices.length} healthy`;
}

function deviceRow(device: RolloutDevice): RolloutDeviceRow {
  return {
    id: device.deviceId,
    profile: device.profile,
    state: stateInWords(device),
    tone: device.seq === null ? 'idle' : stateTone(device.state),
    why: device.reason === null ? null : reasonInWords(device.reason),
    evidence: device.evidence.map(evidenceRow),
  };
}

function stateInWords({ seq, state, rollbackState }: RolloutDevice): string {
  if (seq === null) return 'waiting';
  if (rollbackState === null) return state;
  if (rollbackState === 'healthy') return 'back';
  return rollbackState === 'cancelled' ? 'nothing to go back to' : `going back: ${rollbackState}`;
}

export function evidenceRow(evidence: Evidence): RolloutDeviceRow['evidence'][number] {
  const tone: Tone = evidence.verdict === 'pass' ? 'good' : evidence.verdict === 'fail' ? 'bad' : 'attention';
  return { gate: evidence.gate, verdict: evidence.verdict, tone, summary: evidence.summary };
}
