import { once } from 'node:events';
import { createServer } from 'node:tls';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { MqttTransport } from '#agent/adapters/mqtt-transport.ts';
import { systemChance, systemClock } from '#agent/adapters/system-clock.ts';
import type { TransportHandlers } from '#agent/ports/transport.ts';
import { encodeMessage, MAX_PAYLOAD_BYTES, type CommandBody, type DesiredBody } from '#protocol/messages.ts';
import { deviceTopic } from '#protocol/topics.ts';
import { fleetTls, type DeviceTls, type FleetTls } from '#test/fakes/fleet-tls.ts';
import { silentLogger } from '#test/fakes/silent-logger.ts';
import { TlsBroker } from '#test/fakes/tls-broker.ts';

const EVENT = { kind: 'refused', code: 'replayed', detail: 'x', atMs: 1 } as const;

let tls: FleetTls;
let broker: TlsBroker;
let device: DeviceTls;

beforeEach(async () => {
  tls = await fleetTls();
  broker = await TlsBroker.start(tls);
  device = await tls.device('gate-1');
});

/** A transport and what it told, with a wait for the next of a kind. */
class Listener implements TransportHandlers {
  readonly told: { kind: string; value?: unknown }[] = [];
  readonly #waiting: (() => void)[] = [];

  connected = (): void => this.#tell('connected');
  disconnected = (): void => this.#tell('disconnected');
  desired = (value: DesiredBody): void => this.#tell('desired', value);
  command = (value: CommandBody): void => this.#tell('command', value);
  refused = (value: string): void => this.#tell('refused', value);

  async next(kind: string, count = 1): Promise<unknown> {
    for (;;) {
      const found = this.told.filter((one) => one.kind === kind);
      if (found.length >= count) return found[count - 1]?.value;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #tell(kind: string, value?: unknown): void {
    this.told.push({ kind, value });
    for (const tell of this.#waiting.splice(0)) tell();
  }
}

function transport(change: { url?: string; credentials?: DeviceTls; onStandingUnsure?: () => void } = {}): {
  transport: MqttTransport;
  listener: Listener;
} {
  const listener = new Listener();
  const made = new MqttTransport({
    url: change.url ?? broker.url,
    fleet: 'test',
    deviceId: 'gate-1',
    boot: 'boot-1',
    credentials: () => change.credentials ?? device,
    clock: systemClock,
    chance: { ...systemChance, uniform: () => 0 },
    logger: silentLogger,
    ...(change.onStandingUnsure === undefined ? {} : { onStandingUnsure: change.onStandingUnsure }),
  });
  onTestFinished(() => made[Symbol.asyncDispose]());
  made.start(listener);
  return { transport: made, listener };
}

test('connects with its certificate as the device, says so in presence, and is known by its id', async () => {
  const { transport: mine, listener } = transport();
  await listener.next('connected');
  expect(mine.isConnected).toBe(true);
  expect(await broker.message('gate-1', 'presence')).toMatchObject({
    body: { online: true },
    retain: true,
    boot: 'boot-1',
  });
  expect(broker.aedes.connectedClients).toBe(1);
});

test('hears what is desired, retained or fresh, and commands', async () => {
  const desired = { rolloutId: 'r1', seq: 4, targetPath: 'digits/1/cpu-generic.json' };
  const stamp = { id: 'i', seq: 1, boot: 'cp', sentAtMs: 1 };
  await broker.publish(
    deviceTopic('test', 'gate-1', 'desired'),
    encodeMessage('desired', { ...stamp, body: desired }),
    true,
  );
  const { listener } = transport();
  expect(await listener.next('desired')).toEqual(desired);
  await listener.next('connected');
  const ack = { kind: 'ack', boot: 'boot-1', upToSeq: 3 } as const;
  await broker.publish(
    deviceTopic('test', 'gate-1', 'command'),
    encodeMessage('command', { ...stamp, body: ack }),
  );
  expect(await listener.next('command')).toEqual(ack);
});

test('tells of messages that cannot be read, and goes on', async () => {
  const { listener } = transport();
  await listener.next('connected');
  const topic = deviceTopic('test', 'gate-1', 'desired');
  await broker.publish(topic, '{"schema":"holdfast.desired/v9"}');
  expect(await listener.next('refused')).toContain('refused a desired message');
  await broker.publish(topic, 'x'.repeat(MAX_PAYLOAD_BYTES + 1));
  expect(await listener.next('refused', 2)).toContain('over the limit');
  expect(listener.told.map(({ kind }) => kind)).not.toContain('disconnected');
});

test('sends to its own topics, state retained and events not, and is done when the broker has it', async () => {
  const { transport: mine, listener } = transport();
  await listener.next('connected');
  await mine.send({ leaf: 'events', seq: 7, boot: 'boot-0', heldFromSeq: 5, body: EVENT });
  const seen = broker.seen.find(({ topic }) => topic === deviceTopic('test', 'gate-1', 'events'));
  expect(JSON.parse(seen?.payload ?? '{}')).toMatchObject({
    schema: 'holdfast.events/v1',
    seq: 7,
    boot: 'boot-0',
    heldFromSeq: 5,
    body: EVENT,
  });
  expect(seen?.retain).toBe(false);
  const state = {
    agentVersion: '1',
    profile: 'cpu-generic',
    active: null,
    previous: null,
    deployment: null,
    quarantined: [],
  };
  await mine.send({ leaf: 'reported', seq: 1, boot: 'boot-1', body: state });
  const reported = broker.seen.find(({ topic }) => topic === deviceTopic('test', 'gate-1', 'reported'));
  expect(reported?.retain).toBe(true);
});

test('refuses to send what no receiver would take, and what nobody is there for', async () => {
  const { transport: mine, listener } = transport();
  await expect(mine.send({ leaf: 'events', seq: 1, boot: 'b', body: EVENT })).rejects.toMatchObject({
    code: 'unavailable',
  });
  await listener.next('connected');
  const large = { ...EVENT, detail: 'x'.repeat(MAX_PAYLOAD_BYTES) };
  await expect(mine.send({ leaf: 'events', seq: 1, boot: 'b', body: large })).rejects.toMatchObject({
    code: 'body-too-large',
  });
});

test('comes back by itself after the broker was gone, and subscribes again', async () => {
  const { listener } = transport();
  await listener.next('connected');
  const { port } = broker;
  await broker.stop();
  await listener.next('disconnected');
  broker = await TlsBroker.start(tls, port);
  await listener.next('connected', 2);
  const body = { kind: 'report' } as const;
  await broker.publish(
    deviceTopic('test', 'gate-1', 'command'),
    encodeMessage('command', { id: 'i', seq: 1, boot: 'cp', sentAtMs: 1, body }),
  );
  expect(await listener.next('command')).toEqual(body);
});

test('a cut connection is told by the will, retained, and numbered after the hello', async () => {
  const { listener } = transport();
  await listener.next('connected');
  const hello = await broker.message('gate-1', 'presence', ({ body }) => body['online'] === true);
  broker.cut();
  const gone = await broker.message('gate-1', 'presence', ({ body }) => body['online'] === false);
  expect(gone).toMatchObject({ retain: true, boot: 'boot-1' });
  expect(gone.seq).toBeGreaterThan(hello.seq);
});

test('a send that was under way when the connection broke is rejected, not kept', async () => {
  const { transport: mine, listener } = transport();
  await listener.next('connected');
  broker.aedes.authorizePublish = () => broker.cut(); // never answered
  await expect(mine.send({ leaf: 'events', seq: 1, boot: 'b', body: EVENT })).rejects.toMatchObject({
    code: 'unavailable',
  });
});

test('says goodbye when it ends', async () => {
  const { transport: mine, listener } = transport();
  await listener.next('connected');
  await mine[Symbol.asyncDispose]();
  const last = broker.seen.findLast(({ topic }) => topic === deviceTopic('test', 'gate-1', 'presence'));
  expect(JSON.parse(last?.payload ?? '{}')).toMatchObject({ body: { online: false } });
  expect(mine.isConnected).toBe(false);
});

test('never speaks to a server of another authority', async () => {
  const other = await fleetTls();
  const server = createServer({ ...other.server, requestCert: true, rejectUnauthorized: false });
  let bytes = 0;
  server.on('secureConnection', (socket) => socket.on('data', (chunk: Buffer) => (bytes += chunk.length)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const tried = once(server, 'tlsClientError');
  const { listener } = transport({ url: `mqtts://127.0.0.1:${port}` });
  await tried;
  expect(bytes).toBe(0);
  expect(listener.told).toEqual([]);
});

test('a broker that refuses the subscription is not taken for a connection', async () => {
  broker.aedes.authorizeSubscribe = (_client, _subscription, callback) => callback(null, null);
  const { transport: mine } = transport();
  const { promise, resolve } = Promise.withResolvers<void>();
  broker.aedes.on('clientDisconnect', () => resolve());
  await promise;
  expect(mine.isConnected).toBe(false);
});

test('how this device stands is asked at connections, lost connections and `renew` commands, which go no further', async () => {
  let asked = 0;
  const { listener } = transport({ onStandingUnsure: () => asked++ });
  await listener.next('connected');
  expect(asked).toBe(1);
  const command = (body: CommandBody) =>
    broker.publish(
      deviceTopic('test', 'gate-1', 'command'),
      encodeMessage('command', { id: 'x', seq: 1, boot: 'b', sentAtMs: 1, body }),
    );
  await command({ kind: 'renew' });
  await command({ kind: 'report' });
  expect(await listener.next('command')).toEqual({ kind: 'report' });
  expect(asked).toBe(2);
  broker.cut();
  await listener.next('disconnected');
  expect(asked).toBe(3);
});

test('a retained message that is cleared is no message', async () => {
  const { listener } = transport();
  await listener.next('connected');
  await broker.publish(deviceTopic('test', 'gate-1', 'desired'), '', true);
  await broker.publish(
    deviceTopic('test', 'gate-1', 'command'),
    encodeMessage('command', { id: 'x', seq: 1, boot: 'b', sentAtMs: 1, body: { kind: 'report' } }),
  );
  await listener.next('command');
  expect(listener.told.map(({ kind }) => kind)).toEqual(['connected', 'command']);
});
