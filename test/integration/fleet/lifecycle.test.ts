// What people decide about devices, against a real broker, gateway and database.

import { Agent } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeviceAction } from '#protocol/device-state.ts';
import type { DeploymentReport } from '#protocol/messages.ts';
import { DEFAULT_DEPLOYMENT_POLICY } from '#protocol/release.ts';
import { deviceToMeasure } from '#control-plane/fleet/measure-choice.ts';
import { readRevoked } from './read-revoked.ts';
import { enrolDevice, https, Inbox, newDeviceKey, postEnrol, TestDevice } from './test-device.ts';
import { temporaryFolder, TestControlPlane } from './test-control-plane.ts';

const order = { rolloutId: 'ro-1', model: 'digits', version: 2, policy: DEFAULT_DEPLOYMENT_POLICY };
const reported = {
  agentVersion: '1', profile: 'cpu-generic', active: null, previous: null, deployment: null, quarantined: [],
}; // prettier-ignore

let stack: AsyncDisposableStack;
let plane: TestControlPlane;
let folder: { readonly path: string };
let ended: { deviceId: string; report: DeploymentReport }[];

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  ended = [];
  folder = stack.use(await temporaryFolder());
  plane = stack.use(await TestControlPlane.start({ dataDir: folder.path }));
  plane.fleet.onDeployment((deviceId, report) => Promise.resolve(void ended.push({ deviceId, report })));
  await plane.fleet.start();
});
afterEach(() => stack.disposeAsync());

const decide = (id: string, action: DeviceAction, reason = 'it was stolen') =>
  plane.fleet.decide(id, { action, reason, actor: 'token:test' });
const problemOf = (body: Buffer) => (JSON.parse(body.toString()) as { code: string }).code;

async function auditOf(action: string) {
  const { db } = plane.store;
  const rows = await db.selectFrom('audit').selectAll().where('action', '=', action).execute();
  return rows.map(({ actor, subject, json_detail }) => ({
    actor,
    subject,
    ...(JSON.parse(json_detail) as Record<string, unknown>),
  }));
}

/** What the broker keeps for the topics of a device. */
async function retainedOf(deviceId: string): Promise<string[]> {
  await using watcher = new TestDevice(await newDeviceKey(), {
    ...(await enrolDevice(plane, 'watcher')).enrolled,
    deviceId: 'control-plane',
  });
  const credential = await plane.deviceCa.issueClientCertificate('control-plane');
  await plane.messaging[Symbol.asyncDispose]();
  const client = await watcher.connect(plane, {
    cert: credential.certificatePem,
    key: credential.privateKeyPem,
  });
  const topics: string[] = [];
  client.on('message', (topic, payload, { retain }) => {
    if (retain && payload.length > 0) topics.push(topic);
  });
  await client.subscribeAsync(`holdfast/v1/lab/${deviceId}/#`, { qos: 1 });
  await pause(200);
  return topics;
}

describe('a revoked device', () => {
  test('loses its live session within a second, and nothing lets it in again', async () => {
    await using device = await enrolDevice(plane, 'camera-1');
    const client = await device.connect(plane);
    await device.send(client, 'presence', { boot: 'a', seq: 1, body: { online: true } });
    await expect.poll(async () => (await plane.fleet.getDevice('camera-1')).online).toBe(true);

    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    const startedMs = performance.now();
    const revoked = await decide('camera-1', 'revoke');
    await closed;
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    expect(revoked).toMatchObject({
      state: 'revoked',
      decision: { reason: 'it was stolen', actor: 'token:test' },
      online: false,
    });
    await expect(device.connect(plane)).rejects.toThrow();
    const answer = await https(`${plane.gatewayUrl}/image/timestamp.json`, device.tls);
    expect([answer.status, problemOf(answer.body)]).toEqual([403, 'device-revoked']);
    expect(await auditOf('device.revoke')).toMatchObject([
      {
        actor: 'token:test',
        subject: 'camera-1',
        reason: 'it was stolen',
        before: 'active',
        after: 'revoked',
      },
    ]);
  });

  test('loses it also when its certificate is from before certificates were written down', async () => {
    await using device = await enrolDevice(plane, 'camera-1');
    const client = await device.connect(plane);
    await plane.store.db.deleteFrom('certificates').execute();
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    const startedMs = performance.now();
    await decide('camera-1', 'revoke');
    await closed;
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    await expect(device.connect(plane)).rejects.toThrow();
  });

  test('is refused on a connection to the gateway that was there before', async () => {
    await using device = await enrolDevice(plane, 'camera-1');
    using agent = Object.assign(new Agent({ keepAlive: true, maxSockets: 1 }), {
      [Symbol.dispose]: () => agent.destroy(),
    });
    const get = () => https(`${plane.gatewayUrl}/standing`, device.tls, { agent });
    expect((await get()).status).toBe(200);
    const [socket] = Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? []);
    await decide('camera-1', 'revoke');
    const after = await get();
    expect([after.status, problemOf(after.body)]).toEqual([403, 'device-revoked']);
    expect(Object.values(agent.freeSockets).flat()).toContain(socket);
  });

  test('never enrols again with its key, under no claim', async () => {
    const first = await plane.fleet.claims.create({ deviceId: 'camera-1', ttlMs: 60_000 }, 'token:test');
    const key = await newDeviceKey();
    expect((await postEnrol(plane, first.token, key.csrPem)).status).toBe(200);
    await decide('camera-1', 'revoke');
    for (const request of [{}, { uses: 10 }, { approval: true }]) {
      const { token } = await plane.fleet.claims.create(request, 'token:test');
      const answer = await postEnrol(plane, token, key.csrPem);
      expect([answer.status, problemOf(answer.body)]).toEqual([403, 'device-revoked']);
    }
    const again = await postEnrol(plane, first.token, key.csrPem);
    expect([again.status, problemOf(again.body)]).toEqual([403, 'device-revoked']);
  });

  test('ends its open order, takes no other, and leaves nothing behind at the broker', async () => {
    await using device = await enrolDevice(plane, 'camera-1');
    const client = await device.connect(plane, {
      will: {
        topic: device.topic('presence'),
        payload: Buffer.from('{"schema":"holdfast.presence/v1","id":"w","seq":9,"boot":"a","sentAtMs":1,"body":{"online":false}}'),
        qos: 1,
        retain: true,
      },
    }); // prettier-ignore
    await device.send(client, 'reported', { boot: 'a', seq: 1, body: reported });
    await device.send(client, 'presence', { boot: 'a', seq: 1, body: { online: true } });
    await plane.fleet.order('camera-1', order);
    await plane.fleet.settled();
    await decide('camera-1', 'revoke');
    await expect
      .poll(() => ended)
      .toMatchObject([
        { deviceId: 'camera-1', report: { seq: 1, state: 'cancelled', reason: 'device-revoked' } },
      ]);
    await expect(plane.fleet.order('camera-1', order)).rejects.toMatchObject({ code: 'device-revoked' });
    await plane.fleet.republishDesired();
    // As a broker that was away for a while may still have it.
    const left = {
      schema: 'holdfast.presence/v1',
      id: 'l',
      seq: 10,
      boot: 'a',
      sentAtMs: 1,
      body: { online: true },
    };
    await plane.messaging.publish(device.topic('presence'), JSON.stringify(left), { retain: true });
    await expect
      .poll(() => plane.logLines.filter((line) => line.includes('of a device that is out')).length)
      .toBeGreaterThan(0);
    await plane.fleet.settled();
    expect(await retainedOf('camera-1')).toEqual([]);
  });

  test('is on the revocation list that its authority signed', async () => {
    await using device = await enrolDevice(plane, 'camera-1');
    await using other = await enrolDevice(plane, 'camera-2');
    await decide('camera-1', 'revoke');
    const { crlPem } = await plane.fleet.authority.status();
    const [serial, innocent] = await serialsOf('camera-1', other.id);
    const revoked = await readRevoked(crlPem, plane.deviceCa.certificatePem);
    expect(revoked).toContain(serial);
    expect(revoked).not.toContain(innocent);
    expect(device.id).toBe('camera-1');
  });
});

async function serialsOf(...ids: string[]): Promise<string[]> {
  const { db } = plane.store;
  const rows = await db
    .selectFrom('certificates')
    .selectAll()
    .where('device_id', 'in', ids)
    .orderBy('device_id')
    .execute();
  return rows.map(({ serial }) => serial);
}

test('a quarantined device stays and reports, and gets neither orders, bytes nor measurements until released', async () => {
  await using device = await enrolDevice(plane, 'camera-1');
  const client = await device.connect(plane);
  const desired = new Inbox(device, client, 'desired');
  await client.subscribeAsync(device.topic('desired'), { qos: 1 });
  await plane.fleet.order('camera-1', order);
  await desired.until(({ body }) => body.seq === 1);

  await decide('camera-1', 'quarantine', 'odd answers');
  await expect.poll(() => ended.map(({ report }) => report.reason)).toEqual(['device-quarantined']);
  await expect(plane.fleet.order('camera-1', order)).rejects.toMatchObject({ code: 'device-quarantined' });
  await device.send(client, 'reported', {
    boot: 'a',
    seq: 1,
    body: { ...reported, agentVersion: 'still here' },
  });
  await expect
    .poll(async () => (await plane.fleet.getDevice('camera-1')).reported?.agentVersion)
    .toBe('still here');
  expect(client.connected).toBe(true);
  for (const path of ['/director/timestamp.json', `/blobs/${'a'.repeat(64)}`]) {
    const answer = await https(plane.gatewayUrl + path, device.tls);
    expect([answer.status, problemOf(answer.body)]).toEqual([409, 'device-quarantined']);
  }
  const standing = await https(`${plane.gatewayUrl}/standing`, device.tls);
  expect(JSON.parse(standing.body.toString())).toMatchObject({ state: 'quarantined' });
  const measurable = { ...(await plane.fleet.getDevice('camera-1')), online: true, desiredSeq: 0 };
  expect(deviceToMeasure([measurable], 'cpu-generic', 'b'.repeat(64))).toBeNull();

  const released = await decide('camera-1', 'release', 'it was the lens');
  expect(released.state).toBe('active');
  await desired.until(() => desired.received.length >= 2);
  expect((await https(`${plane.gatewayUrl}/director/timestamp.json`, device.tls)).status).toBe(200);
  expect(deviceToMeasure([{ ...measurable, state: 'active' }], 'cpu-generic', 'b'.repeat(64))?.id).toBe(
    'camera-1',
  );
});

describe('a decommissioned device', () => {
  test('is listed only when asked for, and its id is given again only by a claim that says so', async () => {
    await using device = await enrolDevice(plane, 'camera-1');
    await plane.fleet.order('camera-1', order);
    expect(await plane.director.readDirectorFile('camera-1', 'timestamp.json')).not.toBeNull();
    await decide('camera-1', 'decommission', 'worn out');
    expect(await plane.director.readDirectorFile('camera-1', 'timestamp.json')).toBeNull();
    expect(await plane.fleet.listDevices()).toEqual([]);
    expect(await plane.fleet.listDevices('decommissioned')).toMatchObject([{ id: 'camera-1' }]);
    const create = (replace: boolean) =>
      plane.fleet.claims.create({ deviceId: 'camera-1', replace }, 'token:test');
    await expect(create(false)).rejects.toMatchObject({ code: 'conflict' });
    const { token } = await create(true);
    expect((await postEnrol(plane, token, device.key.csrPem)).status).toBe(403);
    const successor = await newDeviceKey();
    expect((await postEnrol(plane, token, successor.csrPem)).status).toBe(200);
    expect(await plane.fleet.getDevice('camera-1')).toMatchObject({
      state: 'active',
      desired: null,
      desiredSeq: 0,
    });
    // The old certificate has the same name, and is still good by its dates.
    const answer = await https(`${plane.gatewayUrl}/standing`, device.tls);
    expect([answer.status, problemOf(answer.body)]).toEqual([403, 'device-revoked']);
    await expect(device.connect(plane)).rejects.toThrow();
  });

  test('an active device is not replaced, whatever the claim says', async () => {
    await using device = await enrolDevice(plane, 'camera-1');
    await expect(
      plane.fleet.claims.create({ deviceId: device.id, replace: true }, 'token:test'),
    ).rejects.toMatchObject({ code: 'conflict' });
  });
});

test('a decision that means nothing is refused, one that was taken before changes nothing', async () => {
  await enrolDevice(plane, 'camera-1');
  await expect(decide('camera-1', 'approve')).resolves.toMatchObject({ state: 'active' });
  await expect(decide('camera-1', 'refuse')).rejects.toMatchObject({ code: 'conflict' });
  await decide('camera-1', 'revoke', 'first');
  expect(await decide('camera-1', 'revoke', 'second')).toMatchObject({ decision: { reason: 'first' } });
  await expect(decide('camera-1', 'release')).rejects.toMatchObject({ code: 'conflict' });
  await expect(decide('nobody', 'revoke')).rejects.toMatchObject({ code: 'not-found' });
  expect(await auditOf('device.revoke')).toHaveLength(1);
});
