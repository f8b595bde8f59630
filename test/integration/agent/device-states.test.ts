// What people decide about devices, with a real control plane and real agents as processes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { deviceSchema, type Device } from '#protocol/api.ts';
import { claimSchema } from '#protocol/claims.ts';
import { deviceCaSchema } from '#protocol/device-ca.ts';
import { keyFingerprint } from '#protocol/key-fingerprint.ts';
import { rolloutSchema } from '#protocol/rollout.ts';
import { ManagedProcess } from '#test/demo/managed-process.ts';
import { AGENT_MAIN, AgentFleet, PROFILE, until } from './agent-fleet.ts';

const decide = (fleet: AgentFleet, id: string, action: string, reason = 'a test'): Promise<Device> =>
  fleet.api.post(`/devices/${id}/${action}`, { body: { reason }, answer: deviceSchema });
const deviceOf = (fleet: AgentFleet, id: string): Promise<Device> =>
  fleet.api.get(`/devices/${id}`, deviceSchema);
const logOf = (fleet: AgentFleet, name: string): Promise<string> =>
  readFile(join(fleet.folder, `${name}.log`), 'utf8');

describe('a revoked agent', () => {
  test('is off the wire within seconds, says why, goes on serving, and cannot come back', async () => {
    const fleet = await AgentFleet.start();
    const agent = await fleet.agent('gate-1');
    await fleet.publish(1);
    await fleet.rollOut(1);
    await agent.until(({ deployment }) => deployment?.state === 'healthy', 'version 1');
    const startedMs = performance.now();
    await decide(fleet, 'gate-1', 'revoke', 'it was stolen');
    await agent.until(({ controlPlane }) => !controlPlane.connected, 'the end of the session');
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect((await deviceOf(fleet, 'gate-1')).online).toBe(false);
    await until(
      async () => (await logOf(fleet, 'gate-1')).includes('device-revoked: the key of gate-1 was revoked'),
      'the reason',
    );
    expect(await agent.infer()).toBe(200);
    await agent.process.killAndRestart();
    expect(await agent.infer()).toBe(200);
    expect((await agent.status()).controlPlane.connected).toBe(false);

    // With its key kept and a new claim it is turned away at once.
    await agent.process[Symbol.asyncDispose]();
    const claim = await fleet.claim('gate-2');
    const child = spawn(
      process.execPath,
      [AGENT_MAIN, '--data-dir', await keyAlone(fleet, 'gate-1'), '--http-port', '0', '--profile', PROFILE, '--server', fleet.server, '--claim', claim],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    ); // prettier-ignore
    onTestFinished(() => void child.kill('SIGKILL'));
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect(stderr).toContain('device-revoked');
    expect(code).toBe(2);
  });
});

/** A data folder that has a device's key and nothing else of it. */
async function keyAlone(fleet: AgentFleet, name: string): Promise<string> {
  const folder = join(fleet.folder, `${name}-again`);
  await mkdir(join(folder, 'identity'), { recursive: true, mode: 0o700 });
  await cp(join(fleet.folder, name, 'identity', 'key.pem'), join(folder, 'identity', 'key.pem'));
  return folder;
}

test('a quarantined agent stays connected on what it has and takes no order until it is released', async () => {
  const fleet = await AgentFleet.start();
  const agent = await fleet.agent('gate-1');
  const other = await fleet.agent('gate-2');
  await fleet.publish(1);
  await fleet.rollOut(1);
  for (const one of [agent, other])
    await one.until(({ deployment }) => deployment?.state === 'healthy', 'version 1');
  await decide(fleet, 'gate-1', 'quarantine', 'odd answers');
  await fleet.publish(5);
  const rollout = await fleet.rollOut(5, { mode: 'direct' });
  await other.until(({ active }) => active?.version === 5, 'version 5 on the other');
  expect(await agent.status()).toMatchObject({ active: { version: 1 }, controlPlane: { connected: true } });
  expect(await agent.infer()).toBe(200);
  await until(
    async () => (await fleet.api.get(`/rollouts/${rollout}`, rolloutSchema)).phase === 'completed',
    'the end of the rollout',
  );
  const { devices } = await fleet.api.get(`/rollouts/${rollout}`, rolloutSchema);
  expect(devices.find(({ deviceId }) => deviceId === 'gate-1')).toMatchObject({
    reason: 'device-quarantined',
  });
  await decide(fleet, 'gate-1', 'release');
  await fleet.rollOut(5, { mode: 'direct' });
  await agent.until(({ active }) => active?.version === 5, 'version 5 after the release');
});

test('an agent that waits for approval says so with its key, survives restarts of both, and comes in by itself', async () => {
  const fleet = await AgentFleet.start();
  const body = { deviceId: 'gate-1', approval: true };
  const { token } = await fleet.api.post('/claims', { body, answer: claimSchema });
  const args = ['--data-dir', join(fleet.folder, 'gate-1'), '--http-port', '0', '--profile', PROFILE, '--server', fleet.server, '--claim', token]; // prettier-ignore
  const spec = {
    name: 'gate-1', entry: AGENT_MAIN, args, env: {}, logPath: join(fleet.folder, 'gate-1.log'),
    ready: /^holdfast-agent ready: device (\S+) (http:\S+)/, readyTimeoutMs: 60_000,
  }; // prettier-ignore
  const first = spawn(process.execPath, [AGENT_MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(() => void first.kill('SIGKILL'));
  const log = text(first.stderr);
  await until(async () => (await deviceOf(fleet, 'gate-1')).state === 'pending', 'the question');
  const { keySha256 } = await deviceOf(fleet, 'gate-1');
  first.kill('SIGTERM');
  await once(first, 'exit');
  expect(await log).toContain(keyFingerprint(keySha256 ?? ''));
  await fleet.plane.killAndRestart();
  const agent = new ManagedProcess(spec);
  onTestFinished(() => agent[Symbol.asyncDispose]());
  const ready = agent.start();
  await until(
    async () => (await logOf(fleet, 'gate-1')).includes("waits for a person's approval"),
    'the wait',
  );
  await decide(fleet, 'gate-1', 'approve', 'key compared');
  expect((await ready)[1]).toBe('gate-1');
  await until(async () => (await deviceOf(fleet, 'gate-1')).online, 'the device online');
});

test('agents outlive a change of the authority without being installed again, also one that was off meanwhile', async () => {
  const fleet = await AgentFleet.start();
  const stays = await fleet.agent('gate-1');
  const away = await fleet.agent('gate-2');
  const late = await fleet.claim('gate-3');
  await stays.until(({ controlPlane }) => controlPlane.connected, 'the connection');
  await away.process[Symbol.asyncDispose]();
  const status = () => fleet.api.get('/device-ca', deviceCaSchema);
  const call = (path: string, body = {}) =>
    fleet.api.post(`/device-ca/${path}`, { body, answer: deviceCaSchema });
  const before = await status();
  const rotated = await call('rotate');
  expect(rotated.authorities[1]).toEqual(before.authorities[0]);
  // The agent that is connected hears of it and renews; the other has not yet.
  await until(
    async () => (await status()).waiting.join() === 'gate-2',
    'the renewal of the one that is there',
  );
  await expect(call('retire', {})).rejects.toMatchObject({ code: 'conflict' });
  // A claim from before the change pins the old key.
  const third = await fleet.agentWith('gate-3', late);
  await third.until(({ controlPlane }) => controlPlane.connected, 'the one with an old claim');
  await away.process.start();
  await until(async () => (await status()).waitingFor === 0, 'the renewal of the one that was off');
  expect((await call('retire', {})).authorities).toHaveLength(1);
  await fleet.plane.killAndRestart();
  for (const agent of [stays, away, third]) {
    await agent.until(({ controlPlane }) => controlPlane.connected, 'the connection under the new key alone');
  }
  await fleet.publish(1);
  await fleet.rollOut(1);
  for (const agent of [stays, away, third]) {
    await agent.until(({ deployment }) => deployment?.state === 'healthy', 'a deployment under the new key');
  }
});
