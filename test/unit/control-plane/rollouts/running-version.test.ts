import { expect, it } from 'vitest';
import { runningVersion } from '#control-plane/rollouts/store.ts';
import type { DeploymentReport, ReportedBody, RunningRelease } from '#protocol/messages.ts';

const FLIPPED_MS = 1_000;

const running = (version: number, sinceMs: number): RunningRelease => ({
  model: 'digits', version, profile: 'cpu-generic', weightsSha256: 'a'.repeat(64), sinceMs,
}); // prettier-ignore

const deployment = (version: number): DeploymentReport => ({
  rolloutId: 'r', seq: 2, model: 'digits', version, state: 'healthy', attempts: 1, evidence: [],
  history: [{ from: 'activating', to: 'probation', atMs: FLIPPED_MS }],
}); // prettier-ignore

const reported = (active: RunningRelease | null, of: DeploymentReport | null = deployment(2)): string =>
  JSON.stringify({
    agentVersion: '0', profile: 'cpu-generic', active, previous: null, deployment: of, quarantined: [],
  } satisfies ReportedBody); // prettier-ignore

it('is what the device says that it serves', () => {
  expect(runningVersion(reported(running(2, FLIPPED_MS)), 'digits')).toBe(2);
  expect(runningVersion(reported(running(1, 5), null), 'digits')).toBe(1);
  expect(runningVersion(reported(running(2, FLIPPED_MS)), 'faces')).toBeNull();
  expect(runningVersion(reported(null), 'digits')).toBeNull();
  expect(runningVersion(null, 'digits')).toBeNull();
});

it('is not known while the news of a deployment has overtaken what serves', () => {
  expect(runningVersion(reported(running(1, FLIPPED_MS - 1)), 'digits')).toBeNull();
});

it('is the version before again once the device went back to it', () => {
  expect(runningVersion(reported(running(1, FLIPPED_MS + 1)), 'digits')).toBe(1);
});
