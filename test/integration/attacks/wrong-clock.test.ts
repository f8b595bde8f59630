// A device whose clock shows 1970, or ten years ahead: it installs nothing that has expired, and what serves goes on
// serving, also over a restart. The supervisor and the verifiers are the agent's own; TLS keeps the machine's clock.

import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { DEFAULT_DEPLOYMENT_POLICY } from '#protocol/release.ts';
import { aManifest } from '#test/fakes/agent-releases.ts';
import { AgentWorld } from '#test/fakes/agent-world.ts';
import { AttackScene } from '#test/fakes/attack-scene.ts';

const DAY_MS = 86_400_000;
const TEN_YEARS_MS = 3_653 * DAY_MS;
const DIRECT = { policy: { ...DEFAULT_DEPLOYMENT_POLICY, mode: 'direct', probationMs: 10_000 } } as const;

let scene: AttackScene;
let agent: AgentWorld;
let rightMs: number;

beforeEach(async () => {
  scene = await AttackScene.create();
  agent = await AgentWorld.start();
  onTestFinished(() => scene[Symbol.asyncDispose]());
  agent.verifier.real = scene.device.verifier;
  rightMs = scene.world.nowMs;
  for (const version of [1, 2]) {
    scene.putSource('team-digits', aManifest(version));
    scene.putRelease('pipeline', agent.publish(version));
  }
  scene.image.publish();
  await scene.order(aManifest(1), 1, DIRECT);
  look();
  await agent.untilState('probation', 1);
  await agent.passUntil(1_000, () => agent.report?.state === 'healthy');
});

/** The device connects anew, and looks for orders. */
function look(): void {
  agent.transport.disconnect();
  agent.transport.connect();
}

const refusals = (): string[] =>
  agent.state.outbox.flatMap(({ body }) => ('kind' in body && body.kind === 'refused' ? [body.code] : []));

async function answers(): Promise<void> {
  const image = { dtype: 'UINT8', shape: [1], data: new Uint8Array(1) } as const;
  const { result } = await agent.supervisor.serving.infer({ inputs: { image } });
  expect(result.classes).toMatchObject([{ label: 'v1' }]);
}

/** Looks for orders, with the clock it has, until it says no. */
async function refusesAsExpired(): Promise<void> {
  const before = refusals().length;
  look();
  await agent.until(() => refusals().length > before);
  expect(refusals().at(-1)).toBe('tuf-expired');
  expect(agent.serves).toBe(1);
}

async function goesOnOverARestart(): Promise<void> {
  agent = await agent.killAndRestart((next) => {
    next.verifier.real = scene.device.verifier;
  });
  await agent.until(() => agent.serves === 1);
  await answers();
}

it('ten years ahead installs nothing, goes on serving, and takes the order once it is right again', async () => {
  await scene.order(aManifest(2), 2, DIRECT);
  scene.world.deviceClockMs = rightMs + TEN_YEARS_MS;
  await refusesAsExpired();
  await answers();
  await goesOnOverARestart();
  scene.world.deviceClockMs = null;
  look();
  await agent.until(() => agent.serves === 2);
});

it('at 1970 installs nothing that expired before the device last heard the time, and goes on serving', async () => {
  scene.world.deviceClockMs = 0;
  scene.world.nowMs = rightMs - 3 * DAY_MS;
  await scene.order(aManifest(2), 2, DIRECT);
  await refusesAsExpired();
  await answers();
  await goesOnOverARestart();
  scene.world.nowMs = rightMs;
  await scene.order(aManifest(2), 3, DIRECT);
  look();
  await agent.until(() => agent.serves === 2);
});

it('at 1970 installs nothing that expired before the device was enrolled', async () => {
  scene.world.nowMs = rightMs - 3 * DAY_MS;
  await scene.world.trust.director.ensureDevice('edge-2');
  scene.world.nowMs = rightMs;
  const fresh = await scene.world.enrol('edge-2', { imageRoot: scene.image.root });
  scene.world.deviceClockMs = 0;
  await expect(fresh.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
});
