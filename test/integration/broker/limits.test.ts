import { connect as tcpConnect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { MAX_PAYLOAD_BYTES } from '#protocol/messages.ts';
import { deviceTopic, fleetFilter } from '#protocol/topics.ts';
import { BrokerWorld, closed, FLEET, type BrokerWorldOptions } from './broker-world.ts';
import { flood } from './flood.ts';

let world: BrokerWorld;

async function start(limits: NonNullable<BrokerWorldOptions['limits']> = {}): Promise<void> {
  world = await BrokerWorld.start({ limits });
}

afterEach(() => world[Symbol.asyncDispose]());

/** What the control plane receives on a leaf, by topic. */
async function listen(leaf: 'events' | 'telemetry'): Promise<{ topics: string[]; sizes: number[] }> {
  const seen = { topics: [] as string[], sizes: [] as number[] };
  const controlPlane = await world.connect('control-plane');
  controlPlane.on('message', (topic, payload) => {
    seen.topics.push(topic);
    seen.sizes.push(payload.length);
  });
  await controlPlane.subscribeAsync(fleetFilter(FLEET, leaf), { qos: 1 });
  return seen;
}

/** A SUBSCRIBE for as many filters, each as long. */
function subscribePacket(filters: number, filterBytes: number): Buffer {
  const one = Buffer.concat([
    Buffer.from([filterBytes >> 8, filterBytes & 0xff]),
    Buffer.alloc(filterBytes, 0x61),
    Buffer.from([1]),
  ]);
  const bodyBytes = 2 + filters * one.length;
  const head = Buffer.from([0x82, (bodyBytes % 128) | 0x80, Math.floor(bodyBytes / 128), 0, 7]);
  return Buffer.concat([head, ...Array.from({ length: filters }, () => one)]);
}

test('a CONNECT longer than 16 KiB is cut off at its header', async () => {
  await start();
  const socket = await world.openTls('camera-1');
  // CONNECT with a declared length of 200,000 bytes.
  await flood(socket, Buffer.from([0x10, 0xc0, 0x9a, 0x0c]), 1024 ** 2);
  expect(world.log).toContain('longer than 16384 bytes');
});

test('a connection is ended that never says CONNECT, or is never accepted', async () => {
  world = await BrokerWorld.start({
    limits: { connectTimeoutMs: 300 },
    isKnownDevice: () => new Promise(() => undefined),
  });
  const silent = await world.openTls('camera-1');
  silent.resume();
  await closed(silent);
  await expect(world.connect('camera-1')).rejects.toThrow('closed');
  expect(world.log).toContain('CONNECT was not accepted in time');
});

test('a handshake that is never finished is ended', async () => {
  await start({ connectTimeoutMs: 300 });
  const socket = tcpConnect(world.broker.port, '127.0.0.1');
  // The first bytes of a ClientHello.
  socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
  await new Promise<void>((resolve) => {
    socket.on('error', () => undefined);
    socket.once('close', () => resolve());
    socket.resume();
  });
  expect(world.log).toContain('TLS refused');
});

test('an address has a bounded number of connections that were not accepted; accepted ones do not count', async () => {
  await start({ pendingPerAddress: 2 });
  for (const name of ['camera-1', 'camera-2', 'camera-3']) await world.connect(name);
  const pending = [await world.openTls('camera-4'), await world.openTls('camera-5')];
  await expect(world.connect('camera-6')).rejects.toThrow();
  for (const socket of pending) socket.destroy();
  await expect
    .poll(
      async () =>
        await world.connect('camera-6').then(
          ({ connected }) => connected,
          () => false,
        ),
    )
    .toBe(true);
});

test('the largest payload passes; a packet above it ends the connection', async () => {
  await start();
  const { sizes } = await listen('events');
  const client = await world.connect('camera-1');
  const topic = deviceTopic(FLEET, 'camera-1', 'events');
  await client.publishAsync(topic, Buffer.alloc(MAX_PAYLOAD_BYTES, 32), { qos: 1 });
  await expect.poll(() => sizes).toEqual([MAX_PAYLOAD_BYTES]);
  client.publish(topic, Buffer.alloc(MAX_PAYLOAD_BYTES + 2_048, 32), { qos: 1 });
  await closed(client);
  expect(sizes).toHaveLength(1);
});

test('a control packet as long as a message ends the connection', async () => {
  await start();
  const socket = await world.openMqtt('camera-1');
  socket.write(subscribePacket(5, 1_000));
  await closed(socket);
  expect(world.log).toContain('longer than 4096 bytes');
});

test('more filters than a device can need end the connection, and fill no log', async () => {
  await start();
  const socket = await world.openMqtt('camera-1');
  for (let i = 0; i < 50; i++) socket.write(subscribePacket(1, 10 + i));
  socket.resume();
  await closed(socket);
  expect(world.logLines.filter((line) => line.includes('subscription refused'))).toHaveLength(32);
});

test('a device over its rate is read later and loses nothing; another is not held back', async () => {
  await start({ packetsPerSecond: 100, packetBurst: 20 });
  const { topics } = await listen('events');
  const [fast, other] = [await world.connect('camera-1'), await world.connect('camera-2')];
  const startedMs = performance.now();
  const sent = Promise.all(
    Array.from({ length: 120 }, (_, i) =>
      fast.publishAsync(deviceTopic(FLEET, 'camera-1', 'events'), String(i), { qos: 1 }),
    ),
  );
  await other.publishAsync(deviceTopic(FLEET, 'camera-2', 'events'), 'at once', { qos: 1 });
  const otherMs = performance.now() - startedMs;
  await sent;
  await fast.publishAsync(deviceTopic(FLEET, 'camera-1', 'events'), 'last', { qos: 1 });
  // 122 packets with CONNECT, 20 of them at once, the others at 100 a second.
  expect(performance.now() - startedMs).toBeGreaterThan(900);
  expect(otherMs).toBeLessThan(900);
  await expect.poll(() => topics.length).toBe(122);
  expect(fast.connected).toBe(true);
});

test('bytes have a rate of their own', async () => {
  await start({ bytesPerSecond: 200_000, byteBurst: 100_000 });
  const client = await world.connect('camera-1');
  const startedMs = performance.now();
  for (let i = 0; i < 3; i++) {
    await client.publishAsync(deviceTopic(FLEET, 'camera-1', 'events'), 'x'.repeat(100_000), { qos: 1 });
  }
  expect(performance.now() - startedMs).toBeGreaterThan(400);
});

test('a device far over its rate is disconnected', async () => {
  await start();
  const socket = await world.openMqtt('camera-1');
  // PINGREQ, thousands of them in one chunk.
  socket.write(Buffer.from('c000'.repeat(8_000), 'hex'));
  await closed(socket);
  expect(world.log).toContain('far more than its rate');
});

test('a device that does not read is disconnected, and nobody waits for it', async () => {
  await start();
  const slow = await world.openMqtt('camera-1');
  const topic = (name: string) => deviceTopic(FLEET, name, 'command');
  const filter = Buffer.from(topic('camera-1'));
  slow.write(Buffer.from([0x82, filter.length + 5, 0, 1, 0, filter.length, ...filter, 1]));
  await new Promise<void>((resolve) => slow.once('data', () => resolve()));
  slow.pause();
  const reader = await world.connect('camera-2');
  await reader.subscribeAsync(topic('camera-2'), { qos: 1 });
  const received: string[] = [];
  reader.on('message', (_topic, payload) => received.push(payload.toString()));
  const controlPlane = await world.connect('control-plane');
  const bytes = Buffer.alloc(200_000, 32);
  let sent = 0;
  while (!world.log.includes('does not read')) {
    // More than the kernel's buffers and the broker's bound take together.
    if (sent > 200) throw new Error('the broker takes whatever the device does not read');
    await controlPlane.publishAsync(topic('camera-1'), bytes, { qos: 1 });
    await controlPlane.publishAsync(topic('camera-2'), String(sent++), { qos: 1 });
    await expect.poll(() => received.length, { interval: 5 }).toBe(sent);
  }
  expect(sent).toBeGreaterThan(5);
});
