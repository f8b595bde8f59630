// The control plane as a process: its addresses, exit codes, the lock on its folder, and its end.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { enrolmentInfoSchema } from '#protocol/api.ts';

const MAIN = fileURLToPath(import.meta.resolve('#control-plane/main.ts'));
const READY =
  /^holdfast ready: (http:\/\/127\.0\.0\.1:\d+) (mqtts:\/\/127\.0\.0\.1:\d+) gateway (https:\/\/127\.0\.0\.1:\d+)$/m;

let dataDir: string;
const children = new Set<ChildProcessWithoutNullStreams>();

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'holdfast-plane-'));
});
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  children.clear();
  await rm(dataDir, { recursive: true, force: true });
});

function start(env: Record<string, string> = {}, args: string[] = []): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: dataDir,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOLDFAST_DATA_DIR: dataDir,
      HOLDFAST_HTTP_PORT: '0',
      HOLDFAST_MQTT_PORT: '0',
      HOLDFAST_GATEWAY_PORT: '0',
      ...env,
    },
  });
  child.stderr.resume();
  children.add(child);
  return child;
}

/** Resolves to the addresses of the ready line. */
async function ready(child: ChildProcessWithoutNullStreams) {
  let said = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    said += chunk as string;
    const [, http, mqtt, gateway] = READY.exec(said) ?? [];
    if (http !== undefined) return { http, mqtt, gateway, said };
  }
  throw new Error(`not ready: ${said}`);
}

/** How a process that does not get ready ends. */
async function refused(child: ChildProcessWithoutNullStreams) {
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit') as Promise<[number]>]);
  return { code, stderr };
}

async function stopped(child: ChildProcessWithoutNullStreams, signal: NodeJS.Signals) {
  child.kill(signal);
  return (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
}

describe('a control plane', () => {
  it('says its real addresses once it is ready, and where its token lies, but never the token', async () => {
    const child = start();
    let log = '';
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const { http, mqtt, gateway, said } = await ready(child);
    const info = enrolmentInfoSchema.parse(await (await fetch(`${http}/api/v1/enrolment`)).json());
    expect(info).toMatchObject({ fleet: 'default', mqttUrl: mqtt, gatewayUrl: gateway });
    const path = join(dataDir, 'admin-token');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(said).toContain(path);
    const token = (await readFile(path, 'utf8')).trim();
    const answer = await fetch(`${http}/api/v1/devices`, { headers: { authorization: `Bearer ${token}` } });
    expect(await answer.json()).toEqual({ items: [] });
    await stopped(child, 'SIGTERM');
    expect(said + log).not.toContain(token);
    expect(log).not.toContain('Warning');
  });

  it('serves the OpenAPI document that is committed', async () => {
    const { http } = await ready(start());
    const served: unknown = await (await fetch(`${http}/api/v1/openapi.json`)).json();
    const committed = new URL('../../../docs/api/openapi.json', import.meta.url);
    // When this fails: node test/build/write-openapi.ts
    expect(served).toEqual(JSON.parse(await readFile(committed, 'utf8')));
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'ends within seconds at %s, whoever is still connected',
    async (signal) => {
      const child = start();
      const { http } = await ready(child);
      const token = (await readFile(join(dataDir, 'admin-token'), 'utf8')).trim();
      const events = await fetch(`${http}/api/v1/events`, { headers: { authorization: `Bearer ${token}` } });
      const reading = text(events.body ?? new ReadableStream());
      const beganMs = performance.now();
      expect(await stopped(child, signal)).toEqual([0, null]);
      expect(performance.now() - beganMs).toBeLessThan(5_000);
      expect(await reading).toContain('id: ');
    },
  );

  it('has its folder alone, until it is killed', async () => {
    const first = start();
    await ready(first);
    const { code, stderr } = await refused(start());
    expect(code).toBe(3);
    expect(stderr).toContain('data-dir-locked');
    expect(stderr).toContain(`process ${first.pid}`);
    await stopped(first, 'SIGKILL');
    await ready(start());
  });

  it('keeps its token over a restart', async () => {
    const first = start();
    expect((await ready(first)).said).toContain('admin token:');
    const token = await readFile(join(dataDir, 'admin-token'), 'utf8');
    await stopped(first, 'SIGKILL');
    expect((await ready(start())).said).not.toContain('admin token:');
    expect(await readFile(join(dataDir, 'admin-token'), 'utf8')).toBe(token);
  });

  it.each(['HOLDFAST_HTTP_PORT', 'HOLDFAST_MQTT_PORT', 'HOLDFAST_GATEWAY_PORT'])(
    'names the setting when the port of %s is busy',
    async (variable) => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      try {
        const { port } = other.address() as AddressInfo;
        const { code, stderr } = await refused(start({ [variable]: String(port) }));
        expect(code).toBe(4);
        expect(stderr).toContain(`port-busy: port ${port}`);
        expect(stderr).toContain(variable);
      } finally {
        other.close();
      }
    },
  );

  it.each([
    [{ HOLDFAST_HTTP_PORT: 'eighty' }, 'HOLDFAST_HTTP_PORT'],
    [{ HOLDFAST_FLEET: 'Not A Name' }, 'fleet'],
    [{ HOLDFAST_LOG_LEVEL: 'loud' }, 'logLevel'],
    [{ DATABASE_URL: 'mysql://x' }, 'databaseUrl'],
    [{ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/x' }, 'DATABASE_URL'],
  ])('refuses %o and says which setting is wrong', async (env, said) => {
    const { code, stderr } = await refused(start(env));
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain(said);
    expect(stderr).not.toContain('    at ');
  });

  it('lists every setting with --help', async () => {
    const child = start({}, ['--help']);
    const help = await text(child.stdout);
    for (const variable of [
      'HOLDFAST_HTTP_PORT', 'HOLDFAST_MQTT_PORT', 'HOLDFAST_GATEWAY_PORT', 'HOLDFAST_HTTP_HOST', 'HOLDFAST_DATA_DIR',
      'HOLDFAST_FLEET', 'HOLDFAST_PUBLIC_HOST', 'HOLDFAST_LOG_LEVEL', 'DATABASE_URL', 'MQTT_URL',
    ]) expect(help).toContain(variable); // prettier-ignore
  });
});
