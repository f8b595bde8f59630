// The demo's story, step by step: what is done, what is expected, what was seen. Every call may meet a
// control plane that is being started again, so every call is repeated until it is answered.

import { setTimeout as pause } from 'node:timers/promises';
import type { ApiClient } from '#control-plane/cli/api-client.ts';
import {
  deviceSchema,
  modelVersionSchema,
  telemetrySeriesSchema,
  type Device,
  type ModelVersion,
} from '#protocol/api.ts';
import { errorCodeOf } from '#protocol/errors.ts';
import type { Evidence } from '#protocol/evidence.ts';
import { rolloutSchema, type Rollout, type RolloutPhase } from '#protocol/rollout.ts';
import type { Cameras } from './camera.ts';
import { compressVersion, importVersion, type DigitDatasets } from './digits-assets.ts';
import type { DemoFleet } from './fleet.ts';
import type { Reporter } from './report.ts';

const POLL_MS = 200;
const STEP_TIMEOUT_MS = 240_000;

/**
 * Short times, so that the whole story fits in minutes; the rules are the same as with long ones. The margin is
 * wide because three "devices", their cameras and the control plane share one machine.
 */
const PLAN = {
  waves: [
    { size: { count: 1 }, soakMs: 2_000 },
    { size: { percent: 100 }, soakMs: 2_000 },
  ],
  gates: { deviceDeadlineMs: 120_000, maxFailedPerWave: 0, onFailure: 'rollback' },
  policy: { minPairs: 60, shadowDeadlineMs: 90_000, probationMs: 2_000, latencyMargin: 0.4 },
};

export interface Story {
  readonly fleet: DemoFleet;
  readonly cameras: Cameras;
  readonly reporter: Reporter;
  readonly datasets: DigitDatasets;
  readonly profiles: readonly string[];
}

/** Asks until `look` finds something; a control plane that does not answer is asked again. */
export async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  const deadline = performance.now() + STEP_TIMEOUT_MS;
  for (;;) {
    const found = await patiently(look);
    if (found !== null) return found;
    if (performance.now() > deadline)
      throw new Error(`${what} did not come true within ${STEP_TIMEOUT_MS / 1000} s`);
    await pause(POLL_MS);
  }
}

/** Repeats a call for as long as the control plane is away. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + STEP_TIMEOUT_MS;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (errorCodeOf(error) !== 'unavailable' || performance.now() > deadline) throw error;
      await pause(POLL_MS);
    }
  }
}

/** Imports, compresses for every profile, evaluates and signs one version. */
export async function prepareVersion(story: Story, version: number): Promise<ModelVersion> {
  const { fleet, reporter, datasets, profiles } = story;
  await patiently(() => importVersion(fleet.api(), version));
  let told = '';
  await patiently(() =>
    compressVersion(
      fleet.api(),
      version,
      [...new Set(profiles)],
      datasets,
      (look) => until(`compression of version ${version}`, look),
      (message) => {
        const [step = ''] = message.split(': ');
        if (step !== told) reporter.say(step);
        told = step;
      },
    ),
  );
  const sign = { body: {}, answer: modelVersionSchema };
  return await patiently(() => fleet.api().post(`/models/digits/versions/${version}/sign`, sign));
}

/** Begins a rollout of a version to the whole fleet; `requestId` makes the call repeatable. */
export async function beginRollout(story: Story, version: number): Promise<Rollout> {
  const body = { model: 'digits', version, requestId: `demo-version-${version}`, ...PLAN };
  return await patiently(() => story.fleet.api().post('/rollouts', { body, answer: rolloutSchema }));
}

/** Waits for one of the phases, telling every change of a device on the way. */
export async function watchRollout(
  story: Story,
  id: string,
  phases: readonly RolloutPhase[],
): Promise<Rollout> {
  const told = new Map<string, string>();
  return await until(`rollout ${id} ${phases.join(' or ')}`, async () => {
    const rollout = await rolloutOf(story, id);
    for (const device of rollout.devices) {
      const state = device.rollbackState === null ? device.state : `going back: ${device.rollbackState}`;
      if (device.seq === null || told.get(device.deviceId) === state) continue;
      told.set(device.deviceId, state);
      story.reporter.say(
        `wave ${device.wave}  ${device.deviceId.padEnd(8)} ${state}${device.reason === null ? '' : ` (${device.reason})`}`,
      );
    }
    return phases.includes(rollout.phase) ? rollout : null;
  });
}

export function rolloutOf(story: Story, id: string): Promise<Rollout> {
  return patiently(() => story.fleet.api().get(`/rollouts/${id}`, rolloutSchema));
}

export function devicesOf(api: ApiClient): Promise<Device[]> {
  return patiently(() => api.list('/devices', deviceSchema));
}

/** Waits until every device reports that it serves this version and has nothing else to do. */
export async function fleetRuns(story: Story, version: number): Promise<Device[]> {
  return await until(`version ${version} on every device`, async () => {
    const devices = await devicesOf(story.fleet.api());
    return devices.every((device) => device.online && device.reported?.active?.version === version)
      ? devices
      : null;
  });
}

export function telemetryOf(story: Story, version: number) {
  const path = `/telemetry?model=digits&version=${version}`;
  return patiently(() => story.fleet.api().list(path, telemetrySeriesSchema));
}

/** The numbers behind a verdict against the version, from the rollout's devices. */
export function decidingEvidence(rollout: Rollout): Evidence | undefined {
  return rollout.devices
    .flatMap((device) => device.evidence)
    .findLast((evidence) => evidence.verdict === 'fail');
}
