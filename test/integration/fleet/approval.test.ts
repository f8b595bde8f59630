// Devices that a person lets in, against a real gateway and database.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeviceAction } from '#protocol/device-state.ts';
import { keyFingerprint } from '#protocol/key-fingerprint.ts';
import { DEFAULT_DEPLOYMENT_POLICY } from '#protocol/release.ts';
import { newDeviceKey, postEnrol } from './test-device.ts';
import { temporaryFolder, TestControlPlane } from './test-control-plane.ts';

const order = { rolloutId: 'ro-1', model: 'digits', version: 2, policy: DEFAULT_DEPLOYMENT_POLICY };

let stack: AsyncDisposableStack;
let plane: TestControlPlane;
let folder: { readonly path: string };

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  folder = stack.use(await temporaryFolder());
  plane = stack.use(await TestControlPlane.start({ dataDir: folder.path }));
  await plane.fleet.start();
});
afterEach(() => stack.disposeAsync());

const decide = (id: string, action: DeviceAction, reason: string) =>
  plane.fleet.decide(id, { action, reason, actor: 'token:test' });

describe('a device that waits for approval', () => {
  const ask = async (token: string, csrPem: string) => {
    const { status, body } = await postEnrol(plane, token, csrPem);
    return {
      status,
      ...(JSON.parse(body.toString()) as { code?: string; detail?: string; certificatePem?: string }),
    };
  };

  test('gets nothing until a person lets it in, over a restart of the control plane, and then asks once more', async () => {
    const { token } = await plane.fleet.claims.create({ deviceId: 'camera-1', approval: true }, 'token:test');
    const key = await newDeviceKey();
    const keySha256 = await plane.deviceCa.keyOf(key.csrPem);
    for (let attempt = 0; attempt < 40; attempt++) {
      const answer = await ask(token, key.csrPem);
      // Not even `rate-limited`: waiting is no guessing.
      expect(answer).toMatchObject({ status: 403, code: 'approval-pending' });
      expect(answer.detail).toContain(keyFingerprint(keySha256));
      expect(answer.certificatePem).toBeUndefined();
    }
    expect(await plane.fleet.getDevice('camera-1')).toMatchObject({ state: 'pending', keySha256 });
    expect(await plane.store.db.selectFrom('certificates').selectAll().execute()).toEqual([]);
    expect(await plane.director.readDirectorFile('camera-1', 'timestamp.json')).toBeNull();
    await expect(plane.fleet.order('camera-1', order)).rejects.toMatchObject({ code: 'approval-pending' });

    await plane[Symbol.asyncDispose]();
    plane = stack.use(await TestControlPlane.start({ dataDir: folder.path }));
    await plane.fleet.start();
    expect((await ask(token, key.csrPem)).code).toBe('approval-pending');
    await decide('camera-1', 'approve', 'key compared');
    expect(await ask(token, key.csrPem)).toMatchObject({ status: 200 });
    expect((await ask(token, (await newDeviceKey()).csrPem)).code).toBe('claim-spent');
  });

  test('refused, it is out for good', async () => {
    const { token } = await plane.fleet.claims.create({ deviceId: 'camera-1', approval: true }, 'token:test');
    const key = await newDeviceKey();
    await ask(token, key.csrPem);
    expect(await decide('camera-1', 'refuse', 'not ours')).toMatchObject({ state: 'revoked' });
    expect((await ask(token, key.csrPem)).code).toBe('device-revoked');
  });
});
