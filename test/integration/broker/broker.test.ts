import { once } from 'node:events';
import { connect as tcpConnect } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ErrorWithReasonCode, MqttClient } from 'mqtt';
import { afterEach, describe, expect, test } from 'vitest';
import { startBroker } from '#control-plane/broker/broker.ts';
import { createLogger } from '#control-plane/logger.ts';
import { deviceTopic, fleetFilter } from '#protocol/topics.ts';
import { BrokerWorld, closed, FLEET, type BrokerWorldOptions } from './broker-world.ts';

// Who may do what on topics is in test/contract/control-plane/broker-attempts.ts.

let world: BrokerWorld;

async function start(options: BrokerWorldOptions = {}): Promise<void> {
  world = await BrokerWorld.start(options);
}

afterEach(() => world[Symbol.asyncDispose]());

/** How a connection attempt that is refused ends: the CONNACK code, or the reason on the wire. */
async function refusal(client: MqttClient): Promise<number | string> {
  return await new Promise((resolve) => {
    client.once('connect', () => resolve('connected'));
    client.once('error', (error) => resolve((error as ErrorWithReasonCode).code ?? error.message));
    client.once('close', () => resolve('closed'));
  });
}

describe('who may connect', () => {
  test('a device with its certificate under its own id', async () => {
    await start();
    expect((await world.connect('camera-1')).connected).toBe(true);
  });

  test('nobody else is told why not by more than the protocol says', async () => {
    await start({ isKnownDevice: (id) => Promise.resolve(id !== 'camera-9') });
    expect(await refusal(await world.client('camera-1', { clientId: 'camera-2' }))).toBe(2);
    expect(await refusal(await world.client('camera-1', { clientId: 'control-plane' }))).toBe(2);
    expect(await refusal(await world.client('camera-9'))).toBe(5);
    const old = { protocolId: 'MQIsdp', protocolVersion: 3 } as const;
    expect(await refusal(await world.client('camera-1', old))).toBe(5);
    const { certificatePem: cert, privateKeyPem: key } = await world.authority.client('broker', {
      unit: 'service',
    });
    expect(await refusal(await world.client('broker', { cert, key }))).toBe(5);
    const topic = 'holdfast/v1/lab/camera-2/presence';
    const will = { topic, payload: Buffer.from('x'), qos: 1, retain: true } as const;
    expect(await refusal(await world.client('camera-1', { will }))).toBe(5);
    expect(await refusal(await world.client('camera-1', { keepalive: 0 }))).toBe(6);
    expect(await refusal(await world.client('camera-1', { keepalive: 601 }))).toBe(6);
  });

  test('nobody while devices cannot be looked up; the broker lives on', async () => {
    let isUp = false;
    await start({
      isKnownDevice: () => {
        if (!isUp) throw new Error('not up yet');
        return Promise.resolve(true);
      },
    });
    expect(await refusal(await world.client('camera-1'))).toBe(3);
    isUp = true;
    expect((await world.connect('camera-1')).connected).toBe(true);
  });

  test('a second connection takes over from the first, and sessions are not kept', async () => {
    await start();
    const first = await world.connect('camera-1', { clean: false });
    await first.subscribeAsync(deviceTopic(FLEET, 'camera-1', 'command'), { qos: 1 });
    const second = await world.client('camera-1', { clean: false });
    const [connack] = (await once(second as never, 'connect')) as [{ sessionPresent: boolean }];
    await closed(first);
    expect(connack.sessionPresent).toBe(false);
  });

  test('no more connections of one address than the limit', async () => {
    await start({ limits: { connectionsPerAddress: 1 } });
    const first = await world.connect('camera-1');
    const second = tcpConnect(world.broker.port, '127.0.0.1');
    second.on('error', () => undefined);
    await once(second, 'close');
    await first.endAsync(true);
    await expect
      .poll(
        async () =>
          await world.connect('camera-1').then(
            ({ connected }) => connected,
            () => false,
          ),
      )
      .toBe(true);
  });
});

test('a refused publish ends the connection; a refused subscription is answered with failure', async () => {
  await start();
  const client = await world.connect('camera-1');
  const filter = 'holdfast/v1/lab/camera-2/desired';
  await expect(client.subscribeAsync(filter, { qos: 1 })).rejects.toThrow(/128|Unspecified/);
  expect(client.connected).toBe(true);
  client.publish('holdfast/v1/lab/camera-2/events', 'x', { qos: 1 });
  await closed(client);
});

test('a device that vanishes leaves its will', async () => {
  await start();
  const controlPlane = await world.connect('control-plane');
  const seen = new Promise<string>((resolve) => {
    controlPlane.once('message', (_topic, payload) => resolve(payload.toString()));
  });
  await controlPlane.subscribeAsync(fleetFilter(FLEET, 'presence'), { qos: 1 });
  const topic = deviceTopic(FLEET, 'camera-1', 'presence');
  const will = { topic, payload: Buffer.from('gone'), qos: 1, retain: true } as const;
  const client = await world.connect('camera-1', { will });
  (client.stream as unknown as TLSSocket).destroy();
  expect(await seen).toBe('gone');
});

test('a busy port is said with what to do', async () => {
  await start();
  const second = startBroker({
    fleet: FLEET,
    host: '127.0.0.1',
    port: world.broker.port,
    tls: world.serverTls,
    isKnownDevice: () => Promise.resolve(true),
    logger: createLogger({ level: 'silent', write: () => undefined }),
  });
  await expect(second).rejects.toMatchObject({ code: 'port-busy' });
});
