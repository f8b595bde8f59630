// Claims that are good for several devices, batches of them, and their end.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CreateClaim } from '#protocol/claims.ts';
import { parseClaimToken } from '#protocol/claim-token.ts';
import { ClaimDesk } from '#control-plane/fleet/claim-desk.ts';
import { createAudit } from '#control-plane/store/audit.ts';
import { newDeviceKey, postEnrol } from './test-device.ts';
import { temporaryFolder, TestControlPlane } from './test-control-plane.ts';

let stack: AsyncDisposableStack;
let plane: TestControlPlane;
let nowMs: number;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  nowMs = Date.now();
  const folder = stack.use(await temporaryFolder());
  plane = stack.use(await TestControlPlane.start({ dataDir: folder.path, nowMs: () => nowMs }));
  await plane.fleet.start();
});
afterEach(() => stack.disposeAsync());

const create = (request: CreateClaim) => plane.fleet.claims.create(request, 'token:test');

async function enrol(
  token: string,
  csrPem?: string,
): Promise<{ status: number; code?: string; deviceId?: string }> {
  const { status, body } = await postEnrol(plane, token, csrPem ?? (await newDeviceKey()).csrPem);
  return { status, ...(JSON.parse(body.toString()) as { code?: string; deviceId?: string }) };
}

describe('a claim for several devices', () => {
  test('admits so many keys and no more, each under an id of its own, also when they come at once', async () => {
    const { token, deviceId } = await create({ uses: 3, idPrefix: 'dock-', labels: { site: 'berlin' } });
    expect(deviceId).toBeNull();
    const answers = await Promise.all(Array.from({ length: 5 }, () => enrol(token)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 409, 409]);
    const devices = await plane.fleet.listDevices();
    expect(new Set(devices.map(({ id }) => id)).size).toBe(3);
    for (const device of devices) {
      expect(device.id).toMatch(/^dock-[a-z0-9]{8}$/);
      expect(device.labels).toEqual({ site: 'berlin' });
    }
    expect(await plane.fleet.claims.list({ limit: 10 })).toMatchObject([
      { state: 'spent', used: 3, uses: 3 },
    ]);
  });

  test('admits no more when all are looked up before the first is admitted', async () => {
    const { token: claim } = await create({ uses: 3 });
    const keys = await Promise.all(Array.from({ length: 6 }, () => newDeviceKey()));
    const enrolments = keys.map(({ csrPem }) => plane.fleet.enrol({ claim, csrPem, profile: 'cpu-generic' }));
    const outcomes = await Promise.allSettled(enrolments);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(await plane.fleet.listDevices()).toHaveLength(3);
  });

  test('counts a key that asks again once, and gives it the same id', async () => {
    const { token } = await create({ uses: 2 });
    const { csrPem } = await newDeviceKey();
    const ids = [await enrol(token, csrPem), await enrol(token, csrPem), await enrol(token, csrPem)];
    expect(new Set(ids.map(({ deviceId }) => deviceId)).size).toBe(1);
    expect(await plane.fleet.claims.list({ limit: 10 })).toMatchObject([{ state: 'open', used: 1 }]);
    expect((await enrol(token)).status).toBe(200);
  });

  test('goes neither with a device id nor over the limit', async () => {
    await expect(create({ uses: 2, deviceId: 'camera-1' })).rejects.toThrow('good for one device');
    await expect(create({ uses: 10_001 })).rejects.toThrow();
    await expect(create({ replace: true })).rejects.toThrow('name the device');
  });
});

describe('a claim that was withdrawn', () => {
  test('admits no further key, and those it admitted stay', async () => {
    const { token, claimId } = await create({ uses: 5 });
    const { csrPem } = await newDeviceKey();
    const { deviceId } = await enrol(token, csrPem);
    expect(await plane.fleet.claims.withdraw(claimId, 'token:test')).toMatchObject({
      state: 'withdrawn',
      used: 1,
    });
    expect(await enrol(token)).toMatchObject({ status: 401, code: 'claim-invalid' });
    expect(await enrol(token, csrPem)).toMatchObject({ status: 200, deviceId });
    await plane.fleet.claims.withdraw(claimId, 'token:test');
    const audited = await plane.store.db
      .selectFrom('audit')
      .select('actor')
      .where('action', '=', 'claim.withdraw')
      .execute();
    expect(audited).toEqual([{ actor: 'token:test' }]);
  });

  test('that never was is not found', async () => {
    await expect(plane.fleet.claims.withdraw('aaaaaaaa', 'token:test')).rejects.toMatchObject({
      code: 'not-found',
    });
  });
});

describe('a batch', () => {
  test('is made whole: every token is another, enrols one device, and is nowhere kept', async () => {
    const claims = await plane.fleet.claims.createBatch(
      { count: 600, idPrefix: 'line-4-', profile: 'cpu-generic' },
      'token:test',
    );
    expect(new Set(claims.map(({ token }) => token)).size).toBe(600);
    expect(new Set(claims.map(({ deviceId }) => deviceId)).size).toBe(600);
    const first = claims[0];
    const last = claims.at(-1);
    expect(await enrol(first?.token ?? '')).toMatchObject({ status: 200, deviceId: first?.deviceId });
    expect(await enrol(last?.token ?? '')).toMatchObject({ status: 200, deviceId: last?.deviceId });
    expect(await enrol(first?.token ?? '')).toMatchObject({ code: 'claim-spent' });
    const kept = JSON.stringify([
      await plane.store.db.selectFrom('claims').selectAll().execute(),
      await plane.store.db.selectFrom('audit').selectAll().execute(),
      await plane.store.db.selectFrom('live_events').selectAll().execute(),
    ]);
    for (const { token } of claims) expect(kept).not.toContain(parseClaimToken(token).secret);
    expect(await plane.fleet.claims.list({ state: 'spent', limit: 1_000 })).toHaveLength(2);
    expect(await plane.fleet.claims.list({ state: 'open', limit: 1_000 })).toHaveLength(598);
  });

  test('that would leave too many claims open is not made at all', async () => {
    const { store, events, deviceCa } = plane;
    const desk = new ClaimDesk({
      store, events, deviceCa, audit: createAudit(store), isProfile: () => true, reservedIds: [], nowMs: () => nowMs,
      maxOpenClaims: 10,
    }); // prettier-ignore
    await desk.createBatch({ count: 6, ttlMs: 1_000 }, 'token:test');
    await expect(desk.createBatch({ count: 5 }, 'token:test')).rejects.toMatchObject({ code: 'conflict' });
    expect(await desk.list({ limit: 100 })).toHaveLength(6);
    nowMs += 1_001; // claims that expired count no more
    await desk.createBatch({ count: 5 }, 'token:test');
    expect((await desk.list({ state: 'expired', limit: 100 })).length).toBe(6);
  });
});

describe('a device whose certificate has ended', () => {
  test('does not come back by its claim, but by a new one that takes its place', async () => {
    const { token } = await create({ deviceId: 'camera-1' });
    const key = await newDeviceKey();
    expect((await enrol(token, key.csrPem)).status).toBe(200);
    await expect(create({ deviceId: 'camera-1', replace: true })).rejects.toMatchObject({ code: 'conflict' });
    nowMs += 29 * 86_400_000;
    expect((await enrol(token, key.csrPem)).status).toBe(200); // 30 days from here
    nowMs += 31 * 86_400_000;
    expect(await enrol(token, key.csrPem)).toMatchObject({ status: 401, code: 'claim-expired' });
    const again = await create({ deviceId: 'camera-1', replace: true });
    expect(await enrol(again.token, key.csrPem)).toMatchObject({ status: 200, deviceId: 'camera-1' });
    expect(await plane.fleet.listDevices()).toHaveLength(1);
  });
});
