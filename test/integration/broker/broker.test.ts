import { once } from 'node:events';
import { connect as tcpConnect } from 'node:net';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import type { ErrorWithReasonCode, MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAX_PAYLOAD_BYTES } from '#protocol/messages.ts';
import { enrolDevice, type TestDevice } from '../fleet/test-device.ts';
import {
  temporaryFolder,
  TestControlPlane,
  type TestControlPlaneOptions,
} from '../fleet/test-control-plane.ts';

let stack: AsyncDisposableStack;
let plane: TestControlPlane;
let device: TestDevice;

async function start(options: Omit<TestControlPlaneOptions, 'dataDir'> = {}): Promise<void> {
  const folder = stack.use(await temporaryFolder());
  plane = stack.use(await TestControlPlane.start({ dataDir: folder.path, ...options }));
  device = stack.use(await enrolDevice(plane, 'camera-1'));
}

beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

/** How a connection attempt that is refused ends: the CONNACK code, or the reason on the wire. */
async function refusal(client: MqttClient): Promise<number | string> {
  return await new Promise((resolve) => {
    client.once('connect', () => resolve('connected'));
    client.once('error', (error) => resolve((error as ErrorWithReasonCode).code ?? error.message));
    client.once('close', () => resolve('closed'));
  });
}

async function closed(client: MqttClient): Promise<void> {
  await new Promise<void>((resolve) => client.once('close', () => resolve()));
}

describe('who may connect', () => {
  test('a device with its certificate under its own id', async () => {
    await start();
    const client = await device.connect(plane);
    expect(client.connected).toBe(true);
  });

  test('nobody without a certificate, with one of another authority, or by TLS 1.2', async () => {
    await start();
    const { caPem, certificatePem, privateKeyPem } = device.tls;
    const ends = async (options: object): Promise<string> => {
      const socket = tlsConnect({ host: '127.0.0.1', port: plane.broker.port, ca: caPem, ...options });
      socket.on('data', () => undefined);
      const error = await new Promise<string>((resolve) => {
        socket.once('error', (problem: NodeJS.ErrnoException) => resolve(problem.code ?? problem.message));
        socket.once('close', () => resolve('closed'));
      });
      socket.destroy();
      return error;
    };
    expect(await ends({})).toBe('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED');
    await using elsewhere = await temporaryFolder();
    await using other = await TestControlPlane.start({ dataDir: elsewhere.path });
    await using stranger = await enrolDevice(other, 'camera-1');
    const foreign = { cert: stranger.tls.certificatePem, key: stranger.tls.privateKeyPem };
    // Whether the alert outruns the reset is the network's affair.
    const refusals = plane.logLines.filter((line) => line.includes('TLS refused')).length;
    await ends(foreign);
    expect(plane.logLines.filter((line) => line.includes('TLS refused'))).toHaveLength(refusals + 1);
    const old = { cert: certificatePem, key: privateKeyPem, maxVersion: 'TLSv1.2' };
    expect(await ends(old)).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  });

  test('no device under the id of another, nor one that is not enrolled', async () => {
    await start();
    await using other = await enrolDevice(plane, 'camera-2');
    expect(await refusal(device.client(plane, { clientId: other.id }))).toBe(2);
    expect(await refusal(device.client(plane, { clientId: 'control-plane' }))).toBe(2);
    await plane.store.db.deleteFrom('devices').where('id', '=', device.id).execute();
    expect(await refusal(device.client(plane))).toBe(5);
  });

  test('nobody while devices cannot be looked up; the broker lives on', async () => {
    let isUp = false;
    await start({
      isKnownDevice: () => {
        if (!isUp) throw new Error('not up yet');
        return Promise.resolve(true);
      },
    });
    expect(await refusal(device.client(plane))).toBe(3);
    isUp = true;
    expect((await device.connect(plane)).connected).toBe(true);
  });

  test('nothing but MQTT 3.1.1', async () => {
    await start();
    const old = device.client(plane, { protocolId: 'MQIsdp', protocolVersion: 3 });
    expect(await refusal(old)).toBe(5);
    expect(await refusal(device.client(plane, { protocolVersion: 5 }))).not.toBe('connected');
  });

  test('a service certificate of the control plane is no device', async () => {
    await start();
    const { certificatePem: cert, privateKeyPem: key } =
      await plane.deviceCa.issueClientCertificate('broker');
    expect(await refusal(device.client(plane, { clientId: 'broker', cert, key }))).toBe(5);
  });

  test('a second connection takes over from the first, and sessions are not kept', async () => {
    await start();
    const first = await device.connect(plane, { clean: false });
    await first.subscribeAsync(device.topic('command'), { qos: 1 });
    const firstClosed = closed(first);
    const second = device.client(plane, { clean: false });
    const [connack] = (await once(second as never, 'connect')) as [{ sessionPresent: boolean }];
    await firstClosed;
    expect(connack.sessionPresent).toBe(false);
  });

  test('no more connections of one address than the limit', async () => {
    await start({ brokerLimits: { connectionsPerAddress: 2 } });
    // The control plane's own connection is the first.
    const first = await device.connect(plane);
    const second = tcpConnect(plane.broker.port, '127.0.0.1');
    second.on('error', () => undefined);
    await once(second, 'close');
    const gone = closed(first);
    await first.endAsync(true);
    await gone;
    await expect.poll(async () => (await device.connect(plane).catch(() => null))?.connected).toBe(true);
  });
});

describe('what a device may do', () => {
  test('it reads its own branch, and no wildcard, share or other branch', async () => {
    await start();
    const client = await device.connect(plane);
    await client.subscribeAsync([device.topic('desired'), device.topic('command')], { qos: 1 });
    const refused = [
      '#',
      'holdfast/v1/lab/+/desired',
      'holdfast/v1/lab/camera-1/#',
      'holdfast/v1/lab/camera-2/desired',
      'holdfast/v1/other/camera-1/desired',
      'holdfast/v1/lab/camera-1/reported',
      `$share/group/${device.topic('desired')}`,
      '$SYS/#',
      'holdfast/v1/lab/camera-1/desired/',
    ];
    for (const filter of refused) {
      await expect(client.subscribeAsync(filter, { qos: 1 }), filter).rejects.toThrow(/128|Unspecified/);
    }
    expect(client.connected).toBe(true);
  });

  test.each([
    ['holdfast/v1/lab/camera-2/reported', false],
    ['holdfast/v1/lab/camera-1/desired', false],
    ['holdfast/v1/lab/camera-1/command', false],
    ['holdfast/v1/other/camera-1/events', false],
    ['holdfast/v1/lab/camera-1/unknown', false],
    ['$SYS/anything', false],
    // Kept messages only where the protocol keeps them.
    ['holdfast/v1/lab/camera-1/events', true],
  ])('a publish on %s (retain %s) ends the connection and reaches nobody', async (topic, retain) => {
    await start();
    const seen: string[] = [];
    await plane.messaging.subscribe('holdfast/v1/+/+/+', (message) => void seen.push(message.topic));
    const client = await device.connect(plane);
    const ended = closed(client);
    client.publish(topic, 'x', { qos: 1, retain });
    await ended;
    const again = await device.connect(plane);
    await again.publishAsync(device.topic('events'), 'allowed', { qos: 1 });
    await expect.poll(() => seen).toEqual([device.topic('events')]);
  });

  test('a will for another device, or where it may not publish, is refused with the connection', async () => {
    await start();
    const will = (topic: string, retain = true) =>
      ({ will: { topic, payload: Buffer.from('x'), qos: 1, retain } }) as const;
    expect(await refusal(device.client(plane, will('holdfast/v1/lab/camera-2/presence')))).toBe(5);
    expect(await refusal(device.client(plane, will(device.topic('desired'))))).toBe(5);
    expect(await refusal(device.client(plane, will(device.topic('events'))))).toBe(5);
  });

  test('its own will is published when it vanishes', async () => {
    await start();
    const seen = new Promise<string>((resolve) => {
      void plane.messaging.subscribe('holdfast/v1/lab/+/presence', ({ payload }) =>
        resolve(Buffer.from(payload).toString()),
      );
    });
    const will = {
      topic: device.topic('presence'),
      payload: Buffer.from('gone'),
      qos: 1,
      retain: true,
    } as const;
    const client = await device.connect(plane, { will });
    (client.stream as unknown as TLSSocket).destroy();
    expect(await seen).toBe('gone');
  });
});

describe('bytes are bounded', () => {
  async function rawConnection(): Promise<TLSSocket> {
    const { caPem: ca, certificatePem: cert, privateKeyPem: key } = device.tls;
    const socket = tlsConnect({ host: '127.0.0.1', port: plane.broker.port, ca, cert, key });
    socket.on('error', () => undefined);
    await new Promise<void>((resolve) => socket.once('secureConnect', () => resolve()));
    return socket;
  }

  /** Sends until the broker ends the connection; answers the bytes that were sent. */
  async function flood(socket: TLSSocket, chunk: Buffer, maxBytes: number): Promise<number> {
    let sentBytes = 0;
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.resume();
    while (!socket.destroyed && sentBytes < maxBytes) {
      sentBytes += chunk.length;
      if (socket.write(chunk)) continue;
      await Promise.race([new Promise<void>((resolve) => socket.once('drain', () => resolve())), ended]);
    }
    await ended;
    return sentBytes;
  }

  test('a huge packet before CONNECT is cut off, and memory does not grow with it', async () => {
    await start();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 5; i++) {
      const socket = await rawConnection();
      // PUBLISH with a declared length of 256 MiB - 1, the most that MQTT can say.
      socket.write(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]));
      expect(await flood(socket, Buffer.alloc(64 * 1024, 1), 64 * 1024 ** 2)).toBeLessThan(8 * 1024 ** 2);
    }
    const grownBytes = process.memoryUsage().rss - before;
    expect(grownBytes).toBeLessThan(48 * 1024 ** 2);
    expect((await device.connect(plane)).connected).toBe(true);
  });

  test('a CONNECT longer than 16 KiB is cut off before it is whole', async () => {
    await start();
    const socket = await rawConnection();
    // CONNECT with a declared length of 200,000 bytes.
    socket.write(Buffer.from([0x10, 0xc0, 0x9a, 0x0c]));
    await flood(socket, Buffer.alloc(4_096, 0), 1024 ** 2);
    expect(plane.logLines.join('')).toContain('more than 16384 bytes before the connection was accepted');
  });

  test('a connection that never says CONNECT is ended', async () => {
    await start({ brokerLimits: { connectTimeoutMs: 300 } });
    const socket = await rawConnection();
    const startedMs = performance.now();
    socket.resume();
    await once(socket, 'close');
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  test('the largest payload passes; a packet above it ends the connection', async () => {
    await start();
    const sizes: number[] = [];
    await plane.messaging.subscribe(
      'holdfast/v1/lab/+/events',
      ({ payload }) => void sizes.push(payload.length),
    );
    const client = await device.connect(plane);
    await client.publishAsync(device.topic('events'), Buffer.alloc(MAX_PAYLOAD_BYTES, 32), { qos: 1 });
    await expect.poll(() => sizes).toEqual([MAX_PAYLOAD_BYTES]);
    const ended = closed(client);
    client.publish(device.topic('events'), Buffer.alloc(MAX_PAYLOAD_BYTES + 2_048, 32), { qos: 1 });
    await ended;
    expect(sizes).toHaveLength(1);
  });
});

describe('a busy port', () => {
  test('is said with what to do', async () => {
    await start();
    const folder = stack.use(await temporaryFolder());
    const second = TestControlPlane.start({ dataDir: folder.path, mqttPort: plane.broker.port });
    await expect(second).rejects.toMatchObject({ code: 'port-busy' });
  });
});
