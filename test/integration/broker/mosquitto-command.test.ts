import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { brokerRoutes } from '#control-plane/broker/routes.ts';
import { exitCodeOf } from '#control-plane/cli/exit-codes.ts';
import { holdfastProgram } from '#control-plane/cli/program.ts';
import { deviceTopic, fleetFilter } from '#protocol/topics.ts';
import { mosquittoPath, skipWithout } from '#test/skip-reason.ts';
import { apiWorld, type ApiWorld } from '../../unit/control-plane/http/api-world.ts';
import { freePort, runMosquitto } from './mosquitto.ts';
import { TestAuthority } from './test-authority.ts';

const mosquitto = mosquittoPath();
const FLEET = 'lab';

let stack: AsyncDisposableStack;
let authority: TestAuthority;
let api: ApiWorld;
let folder: string;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  authority = await TestAuthority.create();
  const status = async () => ({ caPem: authority.caPem, crlPem: await authority.revocationList([]) });
  api = stack.use(await apiWorld({ routers: () => [brokerRoutes({ fleet: FLEET, authority: { status } })] }));
  folder = await mkdtemp(join(tmpdir(), 'holdfast-mosquitto-command-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
});
afterEach(() => stack.disposeAsync());

/** Exit status of `holdfast broker mosquitto`, and what it said. */
async function command(...args: string[]): Promise<{ code: number; said: string }> {
  let said = '';
  let code = 0;
  const surroundings = {
    env: { HOLDFAST_TOKEN: api.token, HOLDFAST_SERVER: api.url },
    write: (text: string) => (said += text),
    writeAside: (text: string) => (said += text),
    signal: new AbortController().signal,
    setExitCode: (value: number) => (code = value),
  };
  try {
    await holdfastProgram(surroundings).parseAsync(['broker', 'mosquitto', ...args], { from: 'user' });
  } catch (error) {
    code = exitCodeOf(error);
    said += String(error);
  }
  return { code, said };
}

test.skipIf(
  skipWithout('Mosquitto', mosquitto, 'install mosquitto, or set HOLDFAST_MOSQUITTO to its program'),
)('Mosquitto runs with the files that the command writes, and carries a message of a device', async () => {
  const port = await freePort();
  expect((await command('--out', folder, '--port', String(port))).code).toBe(0);
  await using _broker = await runMosquitto(mosquitto ?? '', folder, await authority.server());
  const connect = async (clientId: string, tls: Awaited<ReturnType<TestAuthority['client']>>) => {
    const client = await mqtt.connectAsync(`mqtts://127.0.0.1:${port}`, {
      clientId,
      protocolVersion: 4,
      ca: tls.caPem,
      cert: tls.certificatePem,
      key: tls.privateKeyPem,
    });
    stack.defer(() => client.endAsync(true));
    return client;
  };
  const controlPlane = await connect('control-plane', await authority.controlPlane());
  await controlPlane.subscribeAsync(fleetFilter(FLEET, 'events'), { qos: 1 });
  const heard = new Promise<string>((resolve) => {
    controlPlane.once('message', (topic, payload) => resolve(`${topic}: ${payload.toString()}`));
  });
  const device = await connect('camera-1', await authority.client('camera-1'));
  const topic = deviceTopic(FLEET, 'camera-1', 'events');
  await device.publishAsync(topic, 'here', { qos: 1 });
  expect(await heard).toBe(`${topic}: here`);
});

test('the command replaces what it wrote itself, and what others changed only by force', async () => {
  const read = (name: string) => readFile(join(folder, name), 'utf8');
  expect((await command('--out', folder)).code).toBe(0);
  const written = await read('mosquitto.conf');
  await writeFile(join(folder, 'holdfast-crl.pem'), 'an older list');
  expect((await command('--out', folder)).code).toBe(0);
  expect(await read('holdfast-crl.pem')).toContain('BEGIN X509 CRL');
  await appendFile(join(folder, 'mosquitto.conf'), 'max_connections 10\n');
  const refused = await command('--out', folder);
  expect(refused.code).toBe(6);
  expect(refused.said).toContain('mosquitto.conf says something else');
  expect((await command('--out', folder, '--force')).code).toBe(0);
  expect(await read('mosquitto.conf')).toBe(written);
});

test('the files are for administrators, and no folder name gets a line of its own', async () => {
  const token = await api.tokenWith({ role: 'releaser' });
  const headers = { authorization: `Bearer ${token}` };
  expect((await api.call('/api/v1/broker/mosquitto', { headers })).status).toBe(403);
  for (const directory of ['/a\nallow_anonymous true', '/a/../b', 'a', '/a b', '/', '//']) {
    const query = new URLSearchParams({ directory }).toString();
    expect((await api.call(`/api/v1/broker/mosquitto?${query}`)).status, directory).toBe(400);
  }
});
