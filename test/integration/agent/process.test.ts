// The agent as a process: its exit codes, its lock, and what it does without its control plane.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { deviceSchema } from '#protocol/api.ts';
import { AGENT_MAIN, AgentFleet, until } from './agent-fleet.ts';

/** Runs an agent that is not expected to get ready, and tells how it ended. */
async function refused(...args: string[]): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [AGENT_MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [stderr, [code]] = await Promise.all([
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, stderr };
}

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-agent-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('an agent that cannot start says one line with a code and what to do', () => {
  test('a wrong setting', async () => {
    expect(await refused('--http-port', '99999')).toEqual({
      code: 2,
      stderr: expect.stringMatching(
        /^holdfast-agent: bad-config: --http-port: .* \(holdfast-agent --help lists every setting\)\n$/,
      ),
    });
  });

  test('a claim that is not one', async () => {
    const folder = await emptyFolder();
    const { code, stderr } = await refused(
      '--data-dir',
      folder,
      '--http-port',
      '0',
      '--profile',
      'cpu-generic',
      '--server',
      'http://127.0.0.1:9',
      '--claim',
      'hfc.nonsense',
    );
    expect(code).toBe(2);
    expect(stderr).toContain('holdfast-agent: claim-invalid: ');
  });

  test('a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const { code, stderr } = await refused(
      '--data-dir',
      await emptyFolder(),
      '--profile',
      'cpu-generic',
      '--http-port',
      String(port),
    );
    expect(code).toBe(4);
    expect(stderr).toContain(`port-busy: port ${port} on 127.0.0.1 is in use`);
  });

  test('a journal that nobody can read, once; the next start begins anew', async () => {
    const folder = await emptyFolder();
    await writeFile(join(folder, 'journal.json'), 'garbage');
    const args = ['--data-dir', folder, '--profile', 'cpu-generic', '--http-port', '0'];
    const first = await refused(...args);
    expect(first.code).toBe(1);
    expect(first.stderr).toContain('journal-corrupt: ');
    const second = await refused(...args);
    expect(second.stderr).toContain('no --claim is given');
  });
});

describe('an agent with a control plane', () => {
  test('enrols, is alone on its folder, and a spent claim does not let another in', async () => {
    const fleet = await AgentFleet.start();
    const agent = await fleet.agent('gate-1');
    await agent.until(({ controlPlane }) => controlPlane.connected, 'the connection');

    const second = await refused('--data-dir', join(fleet.folder, 'gate-1'), '--http-port', '0');
    expect(second.code).toBe(3);
    expect(second.stderr).toContain(`data-dir-locked: another agent (process ${agent.process.pid}) runs on`);

    const claim = await fleet.claim('gate-2');
    const enrol = ['--server', fleet.server, '--profile', 'cpu-generic', '--http-port', '0', '--claim'];
    const wrong = claim.replace(/\.[^.]{43}\./, `.${'A'.repeat(43)}.`);
    const { code, stderr } = await refused('--data-dir', await emptyFolder(), ...enrol, wrong);
    expect(code).toBe(2);
    expect(stderr).toContain('claim-invalid: ');
    const pinned = `${claim.slice(0, -64)}${'0'.repeat(64)}`;
    expect((await refused('--data-dir', await emptyFolder(), ...enrol, pinned)).stderr).toContain(
      'ca-mismatch: ',
    );
  });

  test('deploys for real, goes on without its control plane, rolls back alone, and reports it later', async () => {
    const fleet = await AgentFleet.start();
    const agent = await fleet.agent('gate-1');
    await fleet.publish(1);
    await fleet.rollOut(1);
    await agent.until(({ deployment }) => deployment?.state === 'healthy', 'version 1');
    await fleet.publish(5);
    await fleet.rollOut(5, { mode: 'direct' });
    await agent.until(
      ({ active, deployment }) => active?.version === 5 && deployment?.state === 'healthy',
      'version 5',
    );
    expect(await agent.infer()).toBe(200);

    process.kill(fleet.plane.pid!, 'SIGKILL');
    await agent.until(({ controlPlane }) => !controlPlane.connected, 'the lost connection');
    expect(await agent.infer()).toBe(200);
    const answer = await fetch(`${agent.url}/api/rollback`, { method: 'POST' });
    expect(((await answer.json()) as { active: { version: number } }).active.version).toBe(1);
    await agent.process.killAndRestart();
    expect((await agent.status()).active?.version).toBe(1);
    expect(await agent.infer()).toBe(200);

    await fleet.plane.start();
    await until(async () => {
      const [device] = await fleet.api.list('/devices', deviceSchema);
      return device?.reported?.active?.version === 1;
    }, 'the report of the roll back');
    await agent.until(
      ({ waitingMessages }) => waitingMessages <= 1,
      'the acknowledgement of all that happened',
    );
  });

  test('is killed at every step of a deployment, and ends where it should, without a request refused by a living agent', async () => {
    const fleet = await AgentFleet.start();
    const agent = await fleet.agent('gate-1');
    await fleet.publish(1);
    await fleet.rollOut(1);
    await agent.until(({ deployment }) => deployment?.state === 'healthy', 'version 1');
    await fleet.publish(5);

    const refusals: number[] = [];
    const over = new AbortController();
    const camera = (async () => {
      while (!over.signal.aborted) {
        const status = await agent.infer().catch(() => null);
        if (status !== null && status !== 200) refusals.push(status);
      }
    })();
    const kills = new Set<string>();
    await fleet.rollOut(5, { minPairs: 60 });
    await until(async () => {
      const { deployment } = await agent.status();
      const state = deployment?.version === 5 ? deployment.state : '';
      if (state === 'healthy') return true;
      if (state !== '' && !kills.has(state) && kills.size < 5) {
        kills.add(state);
        await agent.process.killAndRestart();
      }
      return false;
    }, 'version 5 in spite of the kills');
    over.abort();
    await camera;
    expect(kills.size).toBeGreaterThanOrEqual(2);
    expect((await agent.status()).active?.version).toBe(5);
    expect(refusals).toEqual([]);
  });

  test('stops when asked: offline at once, exit code 0', async () => {
    const fleet = await AgentFleet.start();
    const agent = await fleet.agent('gate-1');
    await agent.process[Symbol.asyncDispose]();
    const args = ['--data-dir', join(fleet.folder, 'gate-1'), '--http-port', '0'];
    const child = spawn(process.execPath, [AGENT_MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const log = text(child.stderr);
    const online = async (): Promise<boolean> =>
      (await fleet.api.list('/devices', deviceSchema))[0]?.online ?? false;
    await until(online, 'the device online');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    await until(async () => !(await online()), 'the device offline');
    expect(await log).toContain('"msg":"stopped"');
  });
});
