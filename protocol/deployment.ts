// One device's execution of an order, as one transition table and a pure step() (DESIGN.md section 2).
// Invariants: ending states have no way out; whatever happens, a deployment never goes back past
// `preflight`, and every ending but `healthy` carries a reason.

import { z } from 'zod';

export const DEPLOYMENT_STATES = [
  'queued', 'notified', 'preflight', 'downloading', 'verifying', 'loading', 'golden', 'shadow',
  'activating', 'probation', 'healthy', 'rolled-back', 'held', 'failed', 'superseded', 'cancelled',
] as const; // prettier-ignore
export const deploymentStateSchema = z.enum(DEPLOYMENT_STATES);
export type DeploymentState = z.infer<typeof deploymentStateSchema>;

export const DEPLOYMENT_EVENTS = [
  'notify', 'order-verified', 'preflight-passed', 'downloaded', 'verified', 'loaded', 'golden-passed',
  'golden-passed-direct', 'shadow-passed', 'shadow-worse', 'hold', 'activated', 'probation-passed',
  'probation-worse', 'fail', 'timeout', 'restarted', 'supersede', 'cancel', 'already-serving',
] as const; // prettier-ignore
export type DeploymentEvent = (typeof DEPLOYMENT_EVENTS)[number];

type Row = Partial<Record<DeploymentEvent, DeploymentState>>;

const leaving = { supersede: 'superseded', cancel: 'cancelled' } as const;
/** Rows of the steps before anything serves: a failure costs nothing but the attempt. */
const preparing = { ...leaving, fail: 'failed', timeout: 'failed', restarted: 'preflight' } as const;

export const DEPLOYMENT_TABLE: Readonly<Record<DeploymentState, Row>> = {
  queued: { ...leaving, notify: 'notified', timeout: 'failed', fail: 'failed' },
  notified: {
    ...leaving,
    'order-verified': 'preflight',
    fail: 'failed',
    timeout: 'failed',
    'already-serving': 'healthy',
  },
  preflight: { ...preparing, 'preflight-passed': 'downloading', 'already-serving': 'healthy' },
  downloading: { ...preparing, downloaded: 'verifying' },
  verifying: { ...preparing, verified: 'loading' },
  loading: { ...preparing, loaded: 'golden' },
  golden: { ...preparing, 'golden-passed': 'shadow', 'golden-passed-direct': 'activating' },
  shadow: {
    ...preparing,
    'shadow-passed': 'activating',
    'shadow-worse': 'rolled-back',
    hold: 'held',
    timeout: 'held',
  },
  activating: { activated: 'probation', fail: 'rolled-back', timeout: 'rolled-back', restarted: 'preflight' },
  probation: { 'probation-passed': 'healthy', 'probation-worse': 'rolled-back', supersede: 'superseded' },
  healthy: {},
  'rolled-back': {},
  held: {},
  failed: {},
  superseded: {},
  cancelled: {},
};

/** The next state, or null when the event means nothing in this state (and must change nothing). */
export function stepDeployment(state: DeploymentState, event: DeploymentEvent): DeploymentState | null {
  return DEPLOYMENT_TABLE[state][event] ?? null;
}

export function isDeploymentEnded(state: DeploymentState): boolean {
  return Object.keys(DEPLOYMENT_TABLE[state]).length === 0;
}

/** Time a state may last, in ms; shadow and probation are the policy's. */
export const STATE_DEADLINE_MS = {
  notified: 120_000,
  preflight: 60_000,
  downloading: 6 * 3_600_000,
  verifying: 600_000,
  loading: 180_000,
  golden: 120_000,
  activating: 60_000,
} as const;

/** Starts of one deployment after crashes or restarts before it is given up as `crash-loop`. */
export const MAX_ATTEMPTS = 8;

/** Machine-readable reasons of an ending; the evidence says the numbers. */
export const DEPLOYMENT_REASONS = [
  'metadata-refused', 'preflight-failed', 'download-failed', 'digest-mismatch', 'load-failed', 'worker-crashed',
  'golden-mismatch', 'not-finite', 'latency-regression', 'error-regression', 'disagreement', 'inconclusive',
  'probation-regression', 'activation-failed', 'timeout', 'crash-loop', 'quarantined', 'superseded', 'cancelled',
  'local-rollback', 'device-quarantined', 'device-revoked', 'internal',
] as const; // prettier-ignore
export const deploymentReasonSchema = z.enum(DEPLOYMENT_REASONS);
export type DeploymentReason = z.infer<typeof deploymentReasonSchema>;
