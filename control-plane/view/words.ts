// Numbers and states in words and units for people; one vocabulary for the command line and the console.

import type { DeploymentReason, DeploymentState } from '#protocol/deployment.ts';
import type { RolloutPhase } from '#protocol/rollout.ts';

/** How a thing looks: quiet, under way, well, for a person to look at, gone wrong. */
export type Tone = 'idle' | 'busy' | 'good' | 'attention' | 'bad';

export function stateTone(state: DeploymentState): Tone {
  switch (state) {
    case 'healthy':
      return 'good';
    case 'held':
      return 'attention';
    case 'failed':
    case 'rolled-back':
      return 'bad';
    case 'queued':
    case 'superseded':
    case 'cancelled':
      return 'idle';
    default:
      return 'busy';
  }
}

export function phaseTone(phase: RolloutPhase): Tone {
  switch (phase) {
    case 'completed':
      return 'good';
    case 'paused':
    case 'awaiting-approval':
      return 'attention';
    case 'rolled-back':
    case 'rolling-back':
      return 'bad';
    case 'progressing':
      return 'busy';
    default:
      return 'idle';
  }
}

const REASONS: Readonly<Record<DeploymentReason, string>> = {
  'metadata-refused': 'its signed metadata was refused',
  'preflight-failed': 'the device lacks what it needs',
  'download-failed': 'it could not be downloaded',
  'digest-mismatch': 'its bytes are not the signed ones',
  'load-failed': 'the model does not load there',
  'worker-crashed': 'the inference process crashed',
  'golden-mismatch': 'its answers on the golden vectors are wrong',
  'not-finite': 'it answered NaN or infinity',
  'latency-regression': 'it is slower than the version in service',
  'error-regression': 'it fails more often than the version in service',
  disagreement: 'it disagrees with the version in service more than declared',
  inconclusive: 'no verdict before the deadline',
  'probation-regression': 'it did badly in service',
  'activation-failed': 'it could not take over',
  timeout: 'it took too long',
  'crash-loop': 'it was started too often',
  quarantined: 'these weights crashed too often before',
  superseded: 'a newer order came',
  cancelled: 'it was cancelled',
  'local-rollback': 'it was rolled back at the device',
  'device-quarantined': 'the device is quarantined',
  'device-revoked': 'the device is out',
  internal: 'something went wrong inside Holdfast',
};

export function reasonInWords(reason: DeploymentReason): string {
  return REASONS[reason];
}

/** 1_500 → `1.5 kB`; decimal units. */
export function sizeInWords(sizeBytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, sizeBytes < 1 ? 0 : Math.floor(Math.log10(sizeBytes) / 3));
  return `${(sizeBytes / 1_000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** `12 s`, `3 min`, `5 h`, `2 d`; never negative. */
export function durationInWords(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

export function agoInWords(atMs: number | null, nowMs: number): string {
  return atMs === null ? 'never' : `${durationInWords(nowMs - atMs)} ago`;
}

export function percentInWords(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}
