import { describe, expect, test } from 'vitest';
import type { OutgoingMessage } from '#agent/ports/transport.ts';
import { reportedBodySchema, telemetryBodySchema } from '#protocol/messages.ts';
import type { ReportedBody, TelemetryBody } from '#protocol/messages.ts';
import { AgentWorld } from '#test/fakes/agent-world.ts';

const of = (world: AgentWorld, leaf: OutgoingMessage['leaf']): OutgoingMessage[] =>
  world.transport.sent.filter((message) => message.leaf === leaf);
const outboxSeqs = (world: AgentWorld): number[] =>
  world.transport.sent.flatMap(({ leaf, seq }) => (leaf === 'reported' ? [] : [seq]));

describe('the reported state', () => {
  test('is told on connection, and after changes, with the newest always last', async () => {
    const world = await AgentWorld.start();
    await world.passUntil(100, () => of(world, 'reported').length > 0);
    expect(of(world, 'reported')[0]?.body).toMatchObject({
      active: null,
      deployment: null,
      profile: 'cpu-generic',
    });
    await world.settleOn(1, 1);
    await world.passUntil(
      100,
      () => (of(world, 'reported').at(-1)!.body as ReportedBody).deployment?.state === 'healthy',
    );
    const last = of(world, 'reported').at(-1)?.body as ReportedBody;
    expect(reportedBodySchema.parse(last)).toMatchObject({ active: { version: 1 }, deployment: { seq: 1 } });
  });

  test('is told at most twice a second, whatever happens', async () => {
    const world = await AgentWorld.start();
    await world.passUntil(100, () => of(world, 'reported').length === 1);
    const before = world.clock.nowMs();
    for (let change = 0; change < 50; change++) {
      world.transport.command({ kind: 'report' });
      await world.clock.advance(40);
    }
    const elapsedMs = world.clock.nowMs() - before;
    expect(of(world, 'reported').length - 1).toBeLessThanOrEqual(elapsedMs / 500 + 1);
    expect(of(world, 'reported').length).toBeGreaterThan(2);
  });

  test('counts apart from the outbox', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    await world.passUntil(100, () => of(world, 'reported').length > 2);
    expect(of(world, 'reported').map(({ seq }) => seq)).toEqual(
      of(world, 'reported').map((_, index) => index + 1),
    );
    await world.until(() => outboxSeqs(world).length === world.state.outbox.length);
    expect(outboxSeqs(world)).toEqual(outboxSeqs(world).map((_, index) => index + 1));
  });
});

describe('the outbox', () => {
  test('tells every move of a deployment, in order, with its whole history', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    await world.until(() => of(world, 'events').length >= 9);
    const states = of(world, 'events').map(
      ({ body }) => (body as { report: { state: string } }).report.state,
    );
    expect(states).toEqual([
      'notified', 'preflight', 'downloading', 'verifying', 'loading', 'golden', 'activating', 'probation', 'healthy',
    ]); // prettier-ignore
  });

  test('goes out again, whole and in order, on every connection, until it is acknowledged', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    const count = world.state.outbox.length;
    await world.until(() => outboxSeqs(world).length === count);
    world.transport.disconnect();
    world.transport.connect();
    await world.until(() => outboxSeqs(world).length === 2 * count);
    world.transport.command({ kind: 'ack', boot: world.state.boot, upToSeq: 4 });
    await world.until(() => world.state.outbox.length === count - 4);
    world.transport.disconnect();
    world.transport.connect();
    await world.until(() => outboxSeqs(world).length === 3 * count - 4);
    expect(outboxSeqs(world).slice(2 * count)).toEqual(world.state.outbox.map(({ seq }) => seq));
    expect(world.transport.sent.at(-1)?.heldFromSeq).toBe(5);
  });

  test('of an earlier run of the agent is sent under its own name and numbers, before the new one', async () => {
    const before = await AgentWorld.start();
    await before.settleOn(1, 1);
    const count = before.state.outbox.length;
    const world = await before.killAndRestart();
    world.order(2, 1);
    await world.untilState('healthy', 2);
    await world.until(() => outboxSeqs(world).length === world.state.outbox.length);
    const outgoing = world.transport.sent.filter(({ leaf }) => leaf !== 'reported');
    expect(outgoing.map(({ boot, seq }) => [boot, seq])).toEqual([
      ...Array.from({ length: count }, (_, index) => ['boot-1', index + 1]),
      ...Array.from({ length: outgoing.length - count }, (_, index) => ['boot-2', index + 1]),
    ]);
    world.transport.command({ kind: 'ack', boot: 'boot-1', upToSeq: count });
    await world.until(() => world.state.outbox.every(({ boot }) => boot === 'boot-2'));
    expect(world.state.outbox).toHaveLength(outgoing.length - count);
  });

  test('is tried again when a connection breaks in the middle, and loses nothing', async () => {
    const world = await AgentWorld.start();
    world.transport.isBroken = true;
    await world.settleOn(1, 1);
    expect(outboxSeqs(world)).toEqual([]);
    world.transport.isBroken = false;
    await world.passUntil(500, () => outboxSeqs(world).length === world.state.outbox.length);
    expect(outboxSeqs(world)[0]).toBe(1);
  });
});

describe('telemetry', () => {
  const windows = (world: AgentWorld): TelemetryBody[] =>
    world.state.outbox.flatMap(({ leaf, body }) => (leaf === 'telemetry' ? [body as TelemetryBody] : []));

  test('counts requests and right answers of the version that gave them', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    const inputs = { image: { dtype: 'UINT8', shape: [1], data: new Uint8Array(1) } } as const;
    await world.supervisor.serving.infer({ inputs, groundTruth: 'v1' });
    await world.supervisor.serving.infer({ inputs, groundTruth: 'v9' });
    await world.supervisor.serving.infer({ inputs });
    await world.passUntil(1_000, () => windows(world).some(({ requests }) => requests > 0));
    const window = windows(world).find(({ requests }) => requests > 0);
    expect(telemetryBodySchema.parse(window)).toMatchObject({
      requests: 3,
      errors: 0,
      labelled: 2,
      correct: 1,
      release: { version: 1 },
    });
    const { service } = await world.supervisor.status();
    expect(service).toMatchObject({ requests: 3, labelled: 2, correct: 1 });
  });

  test('never has one window of two versions, and none of a candidate that did not serve', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    world.publish(2);
    world.order(2, 2);
    await world.untilState('shadow');
    await world.clock.advance(700);
    await world.trafficUntil(() => world.report?.state === 'probation');
    const swappedAtMs = world.clock.nowMs();
    await world.until(() => windows(world).some(({ release }) => release.version === 1));
    expect(windows(world).filter(({ release }) => release.version === 2)).toEqual([]);

    await world.clock.advance(700);
    const inputs = { image: { dtype: 'UINT8', shape: [1], data: new Uint8Array(1) } } as const;
    await world.supervisor.serving.infer({ inputs });
    await world.passUntil(1_000, () => windows(world).some(({ release }) => release.version === 2));
    const first = windows(world).findLast(({ release }) => release.version === 1);
    const second = windows(world).find(({ release }) => release.version === 2);
    expect(first?.windowEndMs).toBe(swappedAtMs);
    expect(second?.windowStartMs).toBe(swappedAtMs);
    expect(second?.release.sinceMs).toBe(swappedAtMs);
  });

  test('tells of a quiet device once a minute', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    const before = windows(world).length;
    for (let second = 0; second < 180; second++) await world.clock.advance(1_000);
    await world.until(() => windows(world).length >= before + 2);
    expect(windows(world).length - before).toBeLessThanOrEqual(4);
    expect(windows(world).at(-1)).toMatchObject({ requests: 0, system: { cpuLoadPct: 10 } });
  });
});

test('a worker that dies is told of, and served around', async () => {
  const world = await AgentWorld.start();
  await world.settleOn(1, 1);
  world.runtime.workers.findLast(({ isAlive }) => isAlive)?.kill();
  await world.passUntil(10, () => world.supervisor.serving.active?.state === 'ready');
  await world.until(() =>
    world.state.outbox.some(({ body }) => 'kind' in body && body.kind === 'worker-crash'),
  );
});

test('a message that nobody can read is told of', async () => {
  const world = await AgentWorld.start();
  world.transport.refused('refused a desired message: not JSON');
  await world.until(() => world.state.outbox.some(({ body }) => 'kind' in body && body.kind === 'refused'));
});

describe('a journal that cannot be written', () => {
  test('stops the deployment where it is, not the serving, and it goes on when there is room', async () => {
    const world = await AgentWorld.start();
    await world.settleOn(1, 1);
    world.publish(2);
    world.journal.failure = new Error('ENOSPC: no space left on device');
    world.order(2, 2, { mode: 'direct' });
    await world.until(() =>
      world.logger.lines.some(({ msg }) => msg.includes('journal could not be written')),
    );
    await world.clock.advance(5_000);
    expect(world.serves).toBe(1);
    expect(world.state.highestSeq).toBe(1);
    world.journal.failure = null;
    await world.passUntil(500, () => world.report?.seq === 2 && world.report.state === 'probation');
    expect(world.serves).toBe(2);
  });
});

test('nothing is left running after the end', async () => {
  const world = await AgentWorld.start();
  await world.settleOn(1, 1);
  world.publish(2);
  world.order(2, 2);
  await world.untilState('shadow');
  await world.supervisor[Symbol.asyncDispose]();
  expect(world.runtime.workers.every(({ isAlive }) => !isAlive)).toBe(true);
  expect(world.clock.pendingTimers).toBe(0);
});
