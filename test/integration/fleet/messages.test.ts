import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeploymentReport } from '#protocol/messages.ts';
import { DEFAULT_DEPLOYMENT_POLICY } from '#protocol/release.ts';
import { deploymentReport, reportedBody, telemetryBody } from '#test/fixtures/protocol/sample-messages.ts';
import { enrolDevice, https, Inbox, type TestDevice } from './test-device.ts';
import { temporaryFolder, TestControlPlane } from './test-control-plane.ts';

let stack: AsyncDisposableStack;
let folder: string;
let plane: TestControlPlane;
let device: TestDevice;
let followed: [string, number, string][];

async function startPlane(): Promise<TestControlPlane> {
  const started = await TestControlPlane.start({ dataDir: folder });
  started.fleet.onDeployment((deviceId, { seq, state }) => {
    followed.push([deviceId, seq, state]);
    return Promise.resolve();
  });
  await started.fleet.start();
  return started;
}

async function restart(): Promise<void> {
  await plane[Symbol.asyncDispose]();
  plane = await startPlane();
}

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  followed = [];
  folder = stack.use(await temporaryFolder()).path;
  plane = await startPlane();
  stack.defer(() => plane[Symbol.asyncDispose]());
  device = stack.use(await enrolDevice(plane, 'camera-1'));
});
afterEach(() => stack.disposeAsync());

const order = { rolloutId: 'ro-1', model: 'digits', version: 2, policy: DEFAULT_DEPLOYMENT_POLICY };
const crash = (detail: string) =>
  ({ kind: 'worker-crash', weightsSha256: 'a'.repeat(64), detail, atMs: 1 }) as const;
const deployment = (report: DeploymentReport) => ({ kind: 'deployment', report }) as const;

async function summaries(): Promise<string[]> {
  return (await plane.events.since(0, 1_000)).map((event) => event.summary);
}

describe('presence', () => {
  test('a device is online while connected and offline when it vanishes', async () => {
    const will = {
      topic: device.topic('presence'),
      payload: Buffer.from(
        JSON.stringify({
          schema: 'holdfast.presence/v1',
          id: 'will',
          seq: 0,
          boot: 'b1',
          sentAtMs: 1,
          body: { online: false },
        }),
      ),
      qos: 1,
      retain: true,
    } as const;
    const client = await device.connect(plane, { will });
    await device.send(client, 'presence', { boot: 'b1', seq: 1, body: { online: true } });
    await expect.poll(async () => (await plane.fleet.getDevice(device.id)).online).toBe(true);
    client.stream.destroy();
    await expect.poll(async () => (await plane.fleet.getDevice(device.id)).online).toBe(false);
    expect(await summaries()).toEqual(expect.arrayContaining(['camera-1 is online', 'camera-1 is offline']));
  });
});

describe('reported state', () => {
  test('an older report of the same boot never overwrites a newer one; a new boot does', async () => {
    const client = await device.connect(plane);
    const report = (boot: string, seq: number, agentVersion: string) =>
      device.send(client, 'reported', { boot, seq, body: reportedBody({ agentVersion }) });
    await report('b1', 5, 'five');
    await report('b1', 3, 'three');
    await report('b1', 5, 'five again');
    await expect
      .poll(async () => (await plane.fleet.getDevice(device.id)).reported?.agentVersion)
      .toBe('five');
    await plane.fleet.settled();
    expect((await plane.fleet.getDevice(device.id)).reported?.agentVersion).toBe('five');
    await report('b2', 1, 'one');
    await expect
      .poll(async () => (await plane.fleet.getDevice(device.id)).reported?.agentVersion)
      .toBe('one');
  });

  test('heals a deployment event that never came', async () => {
    const client = await device.connect(plane);
    const report = deploymentReport(1, ['queued', 'notified', 'preflight', 'failed'], {
      reason: 'preflight-failed',
    });
    await device.send(client, 'reported', { boot: 'b1', seq: 1, body: reportedBody({ deployment: report }) });
    await expect.poll(() => followed).toEqual([['camera-1', 1, 'failed']]);
    expect(await summaries()).toContain('camera-1 digits 2: failed (preflight-failed)');
  });

  test('what was stored before a crash is followed after it', async () => {
    const client = await device.connect(plane);
    const body = reportedBody({ deployment: deploymentReport(1, ['queued', 'notified']) });
    await device.send(client, 'reported', { boot: 'b1', seq: 1, body });
    await expect.poll(() => followed.length).toBe(1);
    const done = deploymentReport(1, ['queued', 'notified', 'healthy']);
    await device.send(client, 'events', { boot: 'b1', seq: 1, body: deployment(done) });
    await expect.poll(() => followed.at(-1)).toEqual(['camera-1', 1, 'healthy']);
    followed.length = 0;
    await restart();
    await expect.poll(() => followed).toEqual([['camera-1', 1, 'healthy']]);
  });

  test('a report sent before an event it does not know of does not undo that event', async () => {
    const client = await device.connect(plane);
    const early = deploymentReport(1, ['queued', 'notified']);
    const late = deploymentReport(1, ['queued', 'notified', 'healthy']);
    await device.send(client, 'reported', { boot: 'b1', seq: 1, body: reportedBody({ deployment: early }) });
    await device.send(client, 'events', { boot: 'b1', seq: 1, body: deployment(late) });
    await device.send(client, 'reported', { boot: 'b1', seq: 2, body: reportedBody({ deployment: early }) });
    await expect
      .poll(async () => (await plane.fleet.getDevice(device.id)).reported?.deployment?.state)
      .toBe('healthy');
    await plane.fleet.settled();
    expect((await plane.fleet.getDevice(device.id)).reported?.deployment?.state).toBe('healthy');
  });
});

describe('the outbox', () => {
  test('what is sent again is applied once, and acknowledged every time', async () => {
    const client = await device.connect(plane);
    const commands = new Inbox(device, client, 'command');
    await client.subscribeAsync(device.topic('command'), { qos: 1 });
    const send = async () => {
      await device.send(client, 'events', { boot: 'b1', seq: 1, body: crash('first') });
      await device.send(client, 'telemetry', { boot: 'b1', seq: 2, body: telemetryBody() });
      await device.send(client, 'events', { boot: 'b1', seq: 3, body: crash('third') });
    };
    const acked = (count: number) => () =>
      commands.received.filter(({ body }) => body.kind === 'ack' && body.upToSeq === 3).length >= count;
    await send();
    await expect.poll(acked(1)).toBe(true);
    await send();
    await expect.poll(acked(2)).toBe(true);
    expect((await summaries()).filter((line) => line.includes('crashed'))).toHaveLength(2);
    expect(await plane.telemetry.query({})).toMatchObject([{ windows: 1, requests: 3 }]);
  });

  test('nothing after a hole is acknowledged until the hole is filled', async () => {
    const client = await device.connect(plane);
    const commands = new Inbox(device, client, 'command');
    await client.subscribeAsync(device.topic('command'), { qos: 1 });
    const entry = (seq: number) =>
      device.send(client, 'events', { boot: 'b1', seq, body: crash(`crash ${seq}`) });
    const highestAck = () =>
      Math.max(0, ...commands.received.map(({ body }) => (body.kind === 'ack' ? body.upToSeq : 0)));
    await entry(1);
    await entry(3);
    await entry(4);
    await expect
      .poll(async () => (await summaries()).filter((line) => line.includes('crash 4')))
      .toHaveLength(1);
    await expect.poll(highestAck).toBe(1);
    await entry(2);
    await expect.poll(highestAck).toBe(4);
    const rows = await plane.store.db.selectFrom('inbox').select('seq').execute();
    expect(rows).toEqual([{ seq: 4 }]);
  });

  test('a device that dropped entries says so, and acknowledging goes past them', async () => {
    const client = await device.connect(plane);
    const commands = new Inbox(device, client, 'command');
    await client.subscribeAsync(device.topic('command'), { qos: 1 });
    await device.send(client, 'events', { boot: 'b1', seq: 7, heldFromSeq: 7, body: crash('seventh') });
    const ack = await commands.until(({ body }) => body.kind === 'ack');
    expect(ack.body).toEqual({ kind: 'ack', boot: 'b1', upToSeq: 7 });
  });

  test('what cannot be read or believed is told, counted as received, and holds nothing up', async () => {
    const client = await device.connect(plane);
    const commands = new Inbox(device, client, 'command');
    await client.subscribeAsync(device.topic('command'), { qos: 1 });
    const foreign = {
      schema: 'holdfast.events/v9',
      id: 'x',
      seq: 1,
      boot: 'b1',
      sentAtMs: 1,
      body: { kind: 'new' },
    };
    await client.publishAsync(device.topic('events'), JSON.stringify(foreign), { qos: 1 });
    await client.publishAsync(device.topic('events'), '{not json', { qos: 1 });
    const absurd = telemetryBody({ requests: 1, labelled: 2, correct: 2 });
    await device.send(client, 'telemetry', { boot: 'b1', seq: 2, body: absurd });
    await device.send(client, 'events', { boot: 'b1', seq: 3, body: crash('third') });
    await commands.until(({ body }) => body.kind === 'ack' && body.upToSeq === 3);
    expect(await plane.telemetry.query({})).toEqual([]);
    expect((await summaries()).filter((line) => line.includes('left out'))).toHaveLength(2);
  });

  test('a thousand entries in one burst are stored once each, across a restart in the middle', async () => {
    const client = await device.connect(plane);
    const burst = async (to: typeof client) => {
      const sent = [];
      for (let seq = 1; seq <= 1_000; seq++) {
        sent.push(device.send(to, 'telemetry', { boot: 'b1', seq, heldFromSeq: 1, body: telemetryBody() }));
      }
      await Promise.all(sent);
    };
    await burst(client);
    await restart();
    const again = await device.connect(plane);
    const commands = new Inbox(device, again, 'command');
    await again.subscribeAsync(device.topic('command'), { qos: 1 });
    await burst(again);
    await commands.until(({ body }) => body.kind === 'ack' && body.upToSeq === 1_000);
    expect(await plane.telemetry.query({})).toMatchObject([{ windows: 1_000, requests: 3_000 }]);
  });
});

describe('orders', () => {
  test('reach the device as signed metadata and as a kept hint, also after the broker was started anew', async () => {
    expect(await plane.fleet.order(device.id, order)).toEqual({ seq: 1 });
    const client = await device.connect(plane);
    const hints = new Inbox(device, client, 'desired');
    await client.subscribeAsync(device.topic('desired'), { qos: 1 });
    const hint = { rolloutId: 'ro-1', seq: 1, targetPath: 'digits/2/cpu-generic.json' };
    expect((await hints.until(() => true)).body).toEqual(hint);
    const targets = await https(`${plane.gatewayUrl}/director/2.targets.json`, device.tls);
    expect(targets.body.toString()).toContain('digits/2/cpu-generic.json');
    expect((await plane.fleet.getDevice(device.id)).desired).toEqual({
      model: 'digits',
      version: 2,
      rolloutId: 'ro-1',
    });

    await restart();
    const again = await device.connect(plane);
    const kept = new Inbox(device, again, 'desired');
    await again.subscribeAsync(device.topic('desired'), { qos: 1 });
    expect((await kept.until(() => true)).body).toEqual(hint);
  });

  test('are published again to a broker that has lost them', async () => {
    await plane.fleet.order(device.id, order);
    const isBack = new Promise<void>((resolve) => plane.messaging.onReconnected(resolve));
    await plane.replaceBroker();
    await isBack;
    const client = await device.connect(plane);
    const hints = new Inbox(device, client, 'desired');
    await client.subscribeAsync(device.topic('desired'), { qos: 1 });
    expect((await hints.until(() => true)).body.seq).toBe(1);
    // Subscriptions are back as well.
    await device.send(client, 'events', { boot: 'b1', seq: 1, body: crash('after the break') });
    await expect.poll(async () => (await summaries()).join('\n')).toContain('after the break');
  });

  test('take the next number each; the same again while it is open is the same order', async () => {
    const numbers = await Promise.all([
      plane.fleet.order(device.id, order),
      plane.fleet.order(device.id, { ...order, version: 3 }),
      plane.fleet.order(device.id, { ...order, version: 3 }),
      plane.fleet.order(device.id, order),
    ]);
    expect(numbers.map(({ seq }) => seq)).toEqual([1, 2, 2, 3]);
    expect((await plane.director.currentOrder(device.id))?.custom.seq).toBe(3);
    const client = await device.connect(plane);
    const ended = reportedBody({
      deployment: deploymentReport(3, ['queued', 'failed'], { reason: 'timeout' }),
    });
    await device.send(client, 'reported', { boot: 'b1', seq: 1, body: ended });
    await expect.poll(() => followed.length).toBe(1);
    expect(await plane.fleet.order(device.id, order)).toEqual({ seq: 4 });
  });

  test('cut off before the metadata was written are carried out at the next start', async () => {
    await plane.fleet.order(device.id, order);
    // As a crash leaves it between the transaction and the Director: number and order stored, nothing signed.
    const row = await plane.store.db.selectFrom('devices').selectAll().executeTakeFirstOrThrow();
    const cutOff = JSON.parse(row.json_order ?? '') as { custom: { seq: number } };
    cutOff.custom.seq = 2;
    await plane.store.db
      .updateTable('devices')
      .set({ desired_seq: 2, json_order: JSON.stringify(cutOff) })
      .execute();
    await restart();
    expect((await plane.director.currentOrder(device.id))?.custom.seq).toBe(2);
    const client = await device.connect(plane);
    const hints = new Inbox(device, client, 'desired');
    await client.subscribeAsync(device.topic('desired'), { qos: 1 });
    expect((await hints.until(() => true)).body.seq).toBe(2);
  });

  test('go on above what the Director has signed when the database is an older backup', async () => {
    await plane.fleet.order(device.id, order);
    await plane.fleet.order(device.id, { ...order, version: 3 });
    const forgotten = { desired_seq: 0, json_order: null, json_desired: null };
    await plane.store.db.updateTable('devices').set(forgotten).execute();
    expect(await plane.fleet.order(device.id, order)).toEqual({ seq: 3 });
  });

  test('need a signed release and a device', async () => {
    await expect(plane.fleet.order(device.id, { ...order, version: 404 })).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(plane.fleet.order('nobody', order)).rejects.toMatchObject({ code: 'not-found' });
    expect((await plane.fleet.getDevice(device.id)).desiredSeq).toBe(0);
  });
});
