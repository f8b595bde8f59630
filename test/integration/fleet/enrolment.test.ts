import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseClaimToken, formatClaimToken } from '#protocol/claim-token.ts';
import { enrolResponseSchema, renewResponseSchema } from '#protocol/api.ts';
import { insertDevice } from '#control-plane/fleet/devices.ts';
import { enrolDevice, https, newDeviceKey, postEnrol } from './test-device.ts';
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

const claimFor = (request: { deviceId?: string; profile?: string; ttlMs?: number } = {}) =>
  plane.fleet.claims.create({ labels: { site: 'berlin' }, ttlMs: 60_000, ...request }, 'token:test');

const problemOf = (body: Buffer) => (JSON.parse(body.toString()) as { code: string }).code;

describe('enrolment', () => {
  test('gives an identity for the key of the request, and the roots of trust', async () => {
    const claim = await claimFor({ deviceId: 'camera-1' });
    const key = await newDeviceKey();
    const answer = await postEnrol(plane, claim.token, key.csrPem);
    expect(answer.status).toBe(200);
    const response = enrolResponseSchema.parse(JSON.parse(answer.body.toString()));
    expect(response).toMatchObject({ deviceId: 'camera-1', fleet: 'lab', mqttUrl: plane.mqttUrl });
    expect(JSON.parse(response.imageRoot)).toHaveProperty('signed');
    expect(JSON.parse(response.directorRoot)).toHaveProperty('signed');
    const certificate = new X509Certificate(response.certificatePem);
    expect(certificate.subject).toContain('CN=camera-1');
    expect(certificate.verify(new X509Certificate(response.caPem).publicKey)).toBe(true);
    expect(await plane.fleet.getDevice('camera-1')).toMatchObject({
      profile: 'cpu-generic',
      labels: { site: 'berlin' },
      online: false,
      desired: null,
    });
    const summaries = (await plane.events.since(0, 10)).map((event) => event.summary);
    expect(summaries).toContain('camera-1 enrolled with profile cpu-generic');
  });

  test('the token pins the CA that signs', async () => {
    const { token } = await claimFor();
    expect(parseClaimToken(token).caSpkiSha256).toBe(plane.deviceCa.spkiSha256());
  });

  test('the same key may ask again, even after the claim expired; another key may not', async () => {
    const claim = await claimFor({ ttlMs: 5_000 });
    const key = await newDeviceKey();
    const first = await postEnrol(plane, claim.token, key.csrPem);
    nowMs += 10_000;
    const again = await postEnrol(plane, claim.token, key.csrPem);
    expect([first.status, again.status]).toEqual([200, 200]);
    const idOf = (body: Buffer) => enrolResponseSchema.parse(JSON.parse(body.toString())).deviceId;
    expect(idOf(again.body)).toBe(idOf(first.body));
    expect(await plane.fleet.listDevices()).toHaveLength(1);

    const thief = await postEnrol(plane, claim.token, (await newDeviceKey()).csrPem);
    expect([thief.status, problemOf(thief.body)]).toEqual([409, 'claim-spent']);
    expect(await plane.fleet.listDevices()).toHaveLength(1);
  });

  test('two keys racing for one claim: one gets it', async () => {
    const { token } = await claimFor();
    const keys = await Promise.all([newDeviceKey(), newDeviceKey()]);
    const answers = await Promise.all(keys.map((key) => postEnrol(plane, token, key.csrPem)));
    expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([200, 409]);
    expect(await plane.fleet.listDevices()).toHaveLength(1);
  });

  test('a wrong secret, an unknown claim, an expired one and half a token are refused', async () => {
    const { token } = await claimFor({ ttlMs: 5_000 });
    const parts = parseClaimToken(token);
    const { csrPem } = await newDeviceKey();
    const wrongSecret = formatClaimToken({ ...parts, secret: 'A'.repeat(43) });
    const unknown = formatClaimToken({ ...parts, claimId: 'a'.repeat(16) });
    for (const bad of [wrongSecret, unknown, token.slice(0, 40), '']) {
      const answer = await postEnrol(plane, bad, csrPem);
      expect([answer.status, problemOf(answer.body)]).toEqual([401, 'claim-invalid']);
    }
    nowMs += 5_001;
    const late = await postEnrol(plane, token, csrPem);
    expect([late.status, problemOf(late.body)]).toEqual([401, 'claim-expired']);
    expect(await plane.fleet.listDevices()).toEqual([]);
  });

  test('a claim for one profile admits no other, and unknown profiles are named', async () => {
    const { token } = await claimFor({ profile: 'x86-cpu' });
    const { csrPem } = await newDeviceKey();
    const other = await postEnrol(plane, token, csrPem, 'cpu-generic');
    expect([other.status, problemOf(other.body)]).toEqual([422, 'profile-unknown']);
    const unknown = await postEnrol(plane, token, csrPem, 'toaster');
    expect([unknown.status, problemOf(unknown.body)]).toEqual([422, 'profile-unknown']);
    expect((await postEnrol(plane, token, csrPem, 'x86-cpu')).status).toBe(200);
  });

  test('an id that exists, or that the control plane uses itself, gets no claim', async () => {
    await using device = await enrolDevice(plane, 'camera-1');
    await expect(claimFor({ deviceId: device.id })).rejects.toMatchObject({ code: 'conflict' });
    await expect(claimFor({ deviceId: 'control-plane' })).rejects.toMatchObject({ code: 'bad-request' });
  });

  test('of two claims for one id only the first admits a device', async () => {
    const [one, two] = [await claimFor({ deviceId: 'camera-1' }), await claimFor({ deviceId: 'camera-1' })];
    expect((await postEnrol(plane, one.token, (await newDeviceKey()).csrPem)).status).toBe(200);
    const second = await postEnrol(plane, two.token, (await newDeviceKey()).csrPem);
    expect([second.status, problemOf(second.body)]).toEqual([409, 'conflict']);
  });

  test('a broken request, a large body and guessing are bounded', async () => {
    const { token } = await claimFor();
    const broken = await postEnrol(plane, token, 'not a request');
    expect([broken.status, problemOf(broken.body)]).toEqual([422, 'csr-invalid']);
    const large = await postEnrol(plane, token, 'x'.repeat(20_000));
    expect([large.status, problemOf(large.body)]).toEqual([413, 'body-too-large']);
    const { csrPem } = await newDeviceKey();
    const statuses = new Set<number>();
    for (let i = 0; i < 40; i++) statuses.add((await postEnrol(plane, 'hfc.guess', csrPem)).status);
    expect(statuses).toEqual(new Set([401, 429]));
  });
});

describe('renewal', () => {
  const renew = (csrPem: string, tls: Parameters<typeof https>[1]) =>
    https(`${plane.gatewayUrl}/renew`, tls, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ csrPem }),
    });

  test('gives a device with a certificate another one, for the same key only', async () => {
    await using device = await enrolDevice(plane, 'camera-1');
    nowMs += 20 * 86_400_000;
    const answer = await renew(device.key.csrPem, device.tls);
    expect(answer.status).toBe(200);
    const { certificatePem, expiresAtMs } = renewResponseSchema.parse(JSON.parse(answer.body.toString()));
    const [before, after] = [
      new X509Certificate(device.tls.certificatePem),
      new X509Certificate(certificatePem),
    ];
    expect(after.subject).toBe(before.subject);
    expect(after.validToDate.getTime()).toBe(expiresAtMs);
    expect(expiresAtMs - before.validToDate.getTime()).toBeGreaterThan(19 * 86_400_000);

    const other = await renew((await newDeviceKey()).csrPem, device.tls);
    expect([other.status, problemOf(other.body)]).toEqual([422, 'csr-invalid']);
    expect((await renew(device.key.csrPem, { caPem: device.tls.caPem })).status).toBe(401);
  });
});

describe('the gateway', () => {
  test('serves metadata to devices only, and to each its own', async () => {
    await using one = await enrolDevice(plane, 'camera-1');
    await using two = await enrolDevice(plane, 'camera-2');
    const get = async (path: string, tls: Parameters<typeof https>[1]) =>
      await https(plane.gatewayUrl + path, tls);
    expect((await get('/image/timestamp.json', one.tls)).status).toBe(200);
    const mine = await get('/director/1.targets.json', one.tls);
    const others = await get('/director/1.targets.json', two.tls);
    expect(mine.body.toString()).toContain('"camera-1"');
    expect(others.body.toString()).toContain('"camera-2"');
    expect((await get('/director/..%2f..%2fkeys', one.tls)).status).toBe(404);
    const stranger = { caPem: plane.deviceCa.certificatePem };
    expect((await get('/image/timestamp.json', stranger)).status).toBe(401);
    expect((await get('/director/timestamp.json', stranger)).status).toBe(401);
    const service = { ...stranger, ...(await plane.deviceCa.issueClientCertificate('broker')) };
    expect((await get('/director/timestamp.json', service)).status).toBe(401);
    // Not even where a device of that name exists.
    await insertDevice(plane.store.db, {
      id: 'broker', profile: 'cpu-generic', jsonLabels: '{}', state: 'active', spkiSha256: 'a'.repeat(64), nowMs: 1,
    }); // prettier-ignore
    expect((await get('/image/timestamp.json', service)).status).toBe(401);
    const removed = await plane.deviceCa.issueDeviceCertificate({ deviceId: 'gone', csrPem: one.key.csrPem });
    const gone = { ...one.tls, certificatePem: removed.certificatePem };
    expect((await get('/director/timestamp.json', gone)).status).toBe(401);
  });

  test('serves blobs of signed releases whole and by range, and no other blob', async () => {
    await using device = await enrolDevice(plane, 'camera-1');
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
    const { sha256 } = await plane.blobs.putBytes(bytes);
    const secret = await plane.blobs.putBytes(Buffer.from('a dataset'));
    await releaseOf(sha256, 'f'.repeat(64));
    const get = async (headers: Record<string, string> = {}, method = 'GET', digest = sha256) =>
      await https(`${plane.gatewayUrl}/blobs/${digest}`, device.tls, { headers, method });

    const whole = await get();
    expect([whole.status, whole.headers['content-length']]).toEqual([200, '300000']);
    expect(whole.body.equals(bytes)).toBe(true);
    expect(whole.headers['accept-ranges']).toBe('bytes');

    const head = await get({}, 'HEAD');
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '300000', 0]);

    const rest = await get({ range: 'bytes=299990-', 'if-range': String(whole.headers.etag) });
    expect([rest.status, rest.headers['content-range']]).toEqual([206, 'bytes 299990-299999/300000']);
    expect(rest.body.equals(bytes.subarray(299_990))).toBe(true);
    const middle = await get({ range: 'bytes=10-19' });
    expect(middle.body.equals(bytes.subarray(10, 20))).toBe(true);
    const changed = await get({ range: 'bytes=10-19', 'if-range': '"other"' });
    expect([changed.status, changed.body.length]).toEqual([200, 300_000]);
    const beyond = await get({ range: 'bytes=300000-' });
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, 'bytes */300000']);

    expect((await get({}, 'GET', secret.sha256)).status).toBe(404);
    expect((await get({}, 'GET', 'nonsense')).status).toBe(400);
    const stranger = { caPem: plane.deviceCa.certificatePem };
    expect((await https(`${plane.gatewayUrl}/blobs/${sha256}`, stranger)).status).toBe(401);
  });
});

async function releaseOf(weightsSha256: string, manifestSha256: string): Promise<void> {
  const { db } = plane.store;
  const common = { created_at_ms: 1, json_evaluation: null };
  await db.insertInto('models').values({ name: 'digits', created_at_ms: 1 }).execute();
  const contract = { model: 'digits', version: 1, contract_sha256: 'c'.repeat(64), json_contract: '{}' };
  await db
    .insertInto('versions')
    .values({ ...contract, ...common })
    .execute();
  const variant = {
    model: 'digits',
    version: 1,
    profile: 'cpu-generic',
    precision: 'original',
    weights_sha256: weightsSha256,
    weights_size_bytes: 300_000,
    json_recipe: '{}',
    json_tolerance: '{}',
    json_report: '{}',
    release_counter: 1,
    manifest_sha256: manifestSha256,
  };
  await db
    .insertInto('variants')
    .values({ ...variant, ...common })
    .execute();
}
