import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fleetRoutes } from '#control-plane/fleet/routes.ts';
import { setActor } from '#control-plane/http/auth.ts';
import { problemHandler } from '#control-plane/http/problem.ts';
import { createLogger } from '#control-plane/logger.ts';
import { telemetryRoutes } from '#control-plane/telemetry/routes.ts';
import { claimSchema } from '#protocol/claims.ts';
import { deviceSchema, enrolmentInfoSchema, telemetrySeriesSchema } from '#protocol/api.ts';
import { telemetryBody } from '#test/fixtures/protocol/sample-messages.ts';
import { enrolDevice, newDeviceKey, postEnrol } from './test-device.ts';
import { temporaryFolder, TestControlPlane } from './test-control-plane.ts';

let stack: AsyncDisposableStack;
let plane: TestControlPlane;
let url: string;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  plane = stack.use(await TestControlPlane.start({ dataDir: folder.path }));
  const app = express();
  app.use((request, response, next) => {
    if (request.headers.authorization === 'Bearer right') {
      setActor(response, {
        label: 'token:test', key: 'token:t', via: 'bearer', grants: [{ role: 'admin' }],
        tokenId: 't', sessionId: null, expiresAtMs: null, isStillValid: () => Promise.resolve(true),
      }); // prettier-ignore
    }
    next();
  });
  app.use(fleetRoutes(plane), telemetryRoutes(plane));
  app.use(problemHandler(createLogger({ level: 'silent', write: () => undefined })));
  const server = createServer(app).listen(0, '127.0.0.1');
  stack.defer(() => void server.close());
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => stack.disposeAsync());

async function call(
  path: string,
  body?: unknown,
  token = 'right',
): Promise<{ status: number; json: unknown }> {
  const response = await fetch(url + path, {
    headers: { authorization: `Bearer ${token}`, connection: 'close', 'content-type': 'application/json' },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  return { status: response.status, json: await response.json() };
}

describe('the API of the fleet', () => {
  test('tells anybody where to enrol, and only operators anything else', async () => {
    const info = await call('/enrolment', undefined, 'wrong');
    expect(enrolmentInfoSchema.parse(info.json)).toEqual({
      fleet: 'lab',
      caPem: plane.deviceCa.certificatePem,
      gatewayUrl: plane.gatewayUrl,
      mqttUrl: plane.mqttUrl,
    });
    for (const path of ['/devices', '/devices/camera-1', '/telemetry']) {
      expect((await call(path, undefined, 'wrong')).status).toBe(401);
    }
    expect((await call('/claims', {}, 'wrong')).status).toBe(401);
  });

  test('makes claims that enrol, and lists what enrolled', async () => {
    const made = await call('/claims', { deviceId: 'camera-1', labels: { site: 'berlin' } });
    expect(made.status).toBe(201);
    const claim = claimSchema.parse(made.json);
    expect((await postEnrol(plane, claim.token, (await newDeviceKey()).csrPem)).status).toBe(200);
    const { items } = (await call('/devices')).json as { items: unknown[] };
    expect(items.map((item) => deviceSchema.parse(item))).toMatchObject([
      { id: 'camera-1', profile: 'cpu-generic', labels: { site: 'berlin' }, online: false, desiredSeq: 0 },
    ]);
    expect(deviceSchema.parse((await call('/devices/camera-1')).json)).toEqual(items[0]);
    const stored = JSON.stringify(await plane.store.db.selectFrom('claims').selectAll().execute());
    expect(stored).not.toContain(claim.token.split('.')[2]);
  });

  test('refuses what it cannot do with a code', async () => {
    expect(await call('/devices/nobody')).toMatchObject({ status: 404, json: { code: 'not-found' } });
    expect(await call('/devices/No..body')).toMatchObject({ status: 400, json: { code: 'bad-request' } });
    expect(await call('/claims', { ttlMs: 1 })).toMatchObject({ status: 400, json: { code: 'bad-request' } });
    expect(await call('/claims', { profile: 'toaster' })).toMatchObject({
      status: 422,
      json: { code: 'profile-unknown' },
    });
    expect(await call('/telemetry?version=zero')).toMatchObject({ status: 400 });
  });

  test('answers telemetry by device and version', async () => {
    await using device = await enrolDevice(plane, 'camera-1');
    await plane.store.transaction((trx) => plane.telemetry.storeWindow(trx, device.id, telemetryBody()));
    const found = (await call('/telemetry?deviceId=camera-1&model=digits&version=1&sinceMs=0')).json;
    const { items } = found as { items: unknown[] };
    expect(items.map((item) => telemetrySeriesSchema.parse(item))).toMatchObject([
      { requests: 3, windows: 1 },
    ]);
    expect((await call('/telemetry?version=2')).json).toEqual({ items: [] });
  });
});
