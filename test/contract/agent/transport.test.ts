import { describe, expect, onTestFinished, test } from 'vitest';
import { MqttTransport } from '#agent/adapters/mqtt-transport.ts';
import { systemChance, systemClock } from '#agent/adapters/system-clock.ts';
import type { OutgoingMessage, Transport } from '#agent/ports/transport.ts';
import { encodeMessage, type CommandBody, type DesiredBody } from '#protocol/messages.ts';
import { deviceTopic } from '#protocol/topics.ts';
import { fleetTls } from '#test/fakes/fleet-tls.ts';
import { silentLogger } from '#test/fakes/silent-logger.ts';
import { TlsBroker } from '#test/fakes/tls-broker.ts';
import { WireTransport } from '#test/fakes/wire-transport.ts';

interface Subject {
  readonly transport: Transport;
  readonly desired: (body: DesiredBody) => Promise<void>;
  readonly command: (body: CommandBody) => Promise<void>;
  readonly cut: () => void;
  readonly arrived: () => Pick<OutgoingMessage, 'seq' | 'boot' | 'body'>[];
}

const STAMP = { id: 'i', seq: 1, boot: 'plane', sentAtMs: 1 };

async function overMqtt(): Promise<Subject> {
  const tls = await fleetTls();
  const broker = await TlsBroker.start(tls);
  const device = await tls.device('gate-1');
  const transport = new MqttTransport({
    url: broker.url,
    fleet: 'test',
    deviceId: 'gate-1',
    boot: 'boot-1',
    credentials: () => device,
    clock: systemClock,
    chance: { ...systemChance, uniform: () => 0 },
    logger: silentLogger,
  });
  onTestFinished(() => transport[Symbol.asyncDispose]());
  const topic = (leaf: 'desired' | 'command' | 'events' | 'reply'): string =>
    deviceTopic('test', 'gate-1', leaf);
  return {
    transport,
    desired: (body) => broker.publish(topic('desired'), encodeMessage('desired', { ...STAMP, body })),
    command: (body) => broker.publish(topic('command'), encodeMessage('command', { ...STAMP, body })),
    cut: () => broker.cut(),
    arrived: () =>
      broker.seen
        .filter((seen) => [topic('events'), topic('reply')].includes(seen.topic))
        .map(({ payload }) => JSON.parse(payload) as OutgoingMessage)
        .map(({ seq, boot, body }) => ({ seq, boot, body })),
  };
}

async function onAWire(): Promise<Subject> {
  const transport = new WireTransport();
  transport.connect();
  return await Promise.resolve({
    transport,
    desired: (body) => Promise.resolve(transport.desired(body)),
    command: (body) => Promise.resolve(transport.command(body)),
    cut: () => {
      transport.disconnect();
      transport.connect();
    },
    arrived: () => transport.sent.map(({ seq, boot, body }) => ({ seq, boot, body })),
  });
}

const EVENT = { kind: 'refused', code: 'replayed', detail: 'x', atMs: 1 } as const;

describe.each([
  ['a transport over MQTT', overMqtt],
  ['a transport on a wire', onAWire],
])('%s', (_name, make) => {
  test('tells of connections, hears hints and commands, and has sent what it says it sent', async () => {
    const { transport, desired, command, cut, arrived } = await make();
    await expect(transport.send({ leaf: 'events', seq: 1, boot: 'b', body: EVENT })).rejects.toMatchObject({
      code: 'unavailable',
    });
    const told: unknown[] = [];
    let tell = (): void => undefined;
    const heard = (value: unknown): void => {
      told.push(value);
      tell();
    };
    const until = async (count: number): Promise<void> => {
      while (told.length < count) await new Promise<void>((resolve) => (tell = resolve));
    };
    transport.start({
      connected: () => heard('connected'),
      disconnected: () => heard('disconnected'),
      desired: heard,
      command: heard,
      refused: heard,
    });
    await until(1);
    expect(transport.isConnected).toBe(true);

    const hint = { rolloutId: 'r', seq: 2, targetPath: 'digits/1/cpu-generic.json' };
    await desired(hint);
    await until(2);
    const ack = { kind: 'ack', boot: 'b', upToSeq: 1 } as const;
    await command(ack);
    await until(3);
    await transport.send({ leaf: 'events', seq: 4, boot: 'b', body: EVENT });
    const answer = { kind: 'measure-failed', requestId: 'r', code: 'conflict', detail: 'x' } as const;
    await transport.send({ leaf: 'reply', seq: 1, boot: 'b', body: answer });
    expect(arrived()).toEqual([
      { seq: 4, boot: 'b', body: EVENT },
      { seq: 1, boot: 'b', body: answer },
    ]);

    cut();
    await until(5);
    expect(told).toEqual(['connected', hint, ack, 'disconnected', 'connected']);
    await transport[Symbol.asyncDispose]();
    expect(transport.isConnected).toBe(false);
  });
});
