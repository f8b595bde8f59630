// The device authority gets a new key while devices go on, in process; with real agents in test/integration/agent.

import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { renewResponseSchema, standingSchema } from '#protocol/api.ts';
import { enrolDevice, https, newDeviceKey, postEnrol, TestDevice } from './test-device.ts';
import { temporaryFolder, TestControlPlane } from './test-control-plane.ts';

let stack: AsyncDisposableStack;
let folder: { readonly path: string };
let plane: TestControlPlane;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  folder = stack.use(await temporaryFolder());
  plane = stack.use(await TestControlPlane.start({ dataDir: folder.path }));
  await plane.fleet.start();
});
afterEach(() => stack.disposeAsync());

const standing = async (device: TestDevice) => {
  const { body } = await https(`${plane.gatewayUrl}/standing`, device.tls);
  return standingSchema.parse(JSON.parse(body.toString()));
};

/** The device with another certificate, as it renews by itself. */
async function renewed(device: TestDevice): Promise<TestDevice> {
  const { body } = await https(`${plane.gatewayUrl}/renew`, device.tls, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ csrPem: device.key.csrPem }),
  });
  const { certificatePem, caPem } = renewResponseSchema.parse(JSON.parse(body.toString()));
  return new TestDevice(device.key, { ...device.enrolled, certificatePem, caPem });
}

test('devices that believe only the old key go on, renew, and go on when it is retired', async () => {
  await using device = await enrolDevice(plane, 'camera-1');
  const claim = await plane.fleet.claims.create({ deviceId: 'camera-2' }, 'token:test');
  const client = await device.connect(plane);
  const old = plane.deviceCa.certificatePem;
  expect(await plane.fleet.authority.status()).toMatchObject({ waitingFor: 0, authorities: [{}] });

  const rotated = await plane.fleet.authority.rotate('token:test');
  expect(rotated).toMatchObject({ waitingFor: 1, waiting: ['camera-1'], authorities: [{}, {}] });
  expect(client.connected).toBe(true);
  await expect(plane.fleet.authority.rotate('token:test')).rejects.toMatchObject({ code: 'conflict' });
  await expect(plane.fleet.authority.retire('token:test', false)).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('camera-1'),
  });

  // The servers are certified by the new key, and this device knows only the old one.
  expect(device.tls.caPem).toBe(old);
  await client.endAsync(true);
  await (await device.connect(plane)).endAsync(true);
  expect(await standing(device)).toMatchObject({ isRenewalDue: true, caPem: plane.deviceCa.bundlePem });
  // A claim that was made before still admits.
  const late = await newDeviceKey();
  expect((await postEnrol(plane, claim.token, late.csrPem, 'cpu-generic', old)).status).toBe(200);

  await using after = await renewed(device);
  expect(new X509Certificate(after.tls.certificatePem).verify(new X509Certificate(old).publicKey)).toBe(
    false,
  );
  expect(await standing(after)).toMatchObject({ isRenewalDue: false });
  expect(await plane.fleet.authority.retire('token:test', false)).toMatchObject({
    authorities: [{}],
    waitingFor: 0,
  });
  await (await after.connect(plane)).endAsync(true);
  expect((await standing(after)).caPem).toBe(plane.deviceCa.certificatePem);
  // The old key is believed no more, by either side.
  await expect(device.connect(plane)).rejects.toThrow();
  await using impostor = new TestDevice(after.key, {
    ...after.enrolled,
    certificatePem: device.tls.certificatePem,
  });
  await expect(impostor.connect(plane)).rejects.toThrow();
  const audited = await plane.store.db
    .selectFrom('audit')
    .select('action')
    .where('action', 'like', 'device-ca.%')
    .execute();
  expect(audited.map(({ action }) => action)).toEqual(['device-ca.rotate', 'device-ca.retire']);
});

test('the control plane is started again in the middle of it, and both keys are believed', async () => {
  await using device = await enrolDevice(plane, 'camera-1');
  await plane.fleet.authority.rotate('token:test');
  await plane[Symbol.asyncDispose]();
  plane = stack.use(await TestControlPlane.start({ dataDir: folder.path }));
  await plane.fleet.start();
  await (await device.connect(plane)).endAsync(true);
  await using after = await renewed(device);
  await (await after.connect(plane)).endAsync(true);
});

describe('revoked under either key', () => {
  test('a device is on the list of the authority that certified it', async () => {
    await using old = await enrolDevice(plane, 'camera-1');
    await plane.fleet.authority.rotate('token:test');
    await using young = await enrolDevice(plane, 'camera-2');
    await using stays = await enrolDevice(plane, 'camera-3');
    for (const { id } of [old, young]) {
      await plane.fleet.decide(id, { action: 'revoke', reason: 'lost', actor: 'token:test' });
    }
    const { crlPem } = await plane.fleet.authority.status();
    expect(crlPem.match(/BEGIN X509 CRL/g)).toHaveLength(2);
    await expect(old.connect(plane)).rejects.toThrow();
    await expect(young.connect(plane)).rejects.toThrow();
    await (await stays.connect(plane)).endAsync(true);
  });

  test('forced retirement says whom it leaves behind', async () => {
    await enrolDevice(plane, 'camera-1');
    await plane.fleet.authority.rotate('token:test');
    await plane.fleet.authority.retire('token:test', true);
    const [entry] = await plane.store.db
      .selectFrom('audit')
      .select('json_detail')
      .where('action', '=', 'device-ca.retire')
      .execute();
    expect(JSON.parse(entry?.json_detail ?? '{}')).toMatchObject({ leftBehind: ['camera-1'] });
  });
});
