import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileBlobStore } from '#control-plane/artifacts/file-blob-store.ts';
import { artifactRoutes } from '#control-plane/artifacts/routes.ts';
import { createAudit, type Audit } from '#control-plane/store/audit.ts';
import { apiWorld, problemOf, type ApiWorld } from '#test/unit/control-plane/http/api-world.ts';

const MAX_UPLOAD_BYTES = 100_000;
const bytes = new TextEncoder().encode('some weights');
const sha256 = createHash('sha256').update(bytes).digest('hex');

let world: ApiWorld;
let blobsFolder: string;
let audit: Audit;

beforeEach(async () => {
  blobsFolder = await mkdtemp(join(tmpdir(), 'holdfast-blobs-'));
  const blobs = await FileBlobStore.open(blobsFolder);
  world = await apiWorld({
    routers: (store) => {
      audit = createAudit(store);
      return [artifactRoutes({ blobs, audit, maxUploadBytes: MAX_UPLOAD_BYTES, fetchHosts: [] })];
    },
  });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await rm(blobsFolder, { recursive: true, force: true });
});

const put = (name: string, body: string | Uint8Array<ArrayBuffer>) =>
  world.call(`/api/v1/blobs/${name}`, { method: 'PUT', body });
const stored = () => readdir(blobsFolder);

describe('an upload', () => {
  it('is answered with its digest and size once it is stored', async () => {
    expect((await world.call(`/api/v1/blobs/${sha256}`, { method: 'HEAD' })).status).toBe(404);
    expect(await (await put(sha256, bytes)).json()).toEqual({ sha256, sizeBytes: bytes.length });
    const head = await world.call(`/api/v1/blobs/${sha256}`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe(String(bytes.length));
  });

  it('again changes nothing, and is one entry of the audit log', async () => {
    for (let n = 0; n < 3; n++) expect((await put(sha256, bytes)).status).toBe(200);
    expect(await audit.before(Number.MAX_SAFE_INTEGER, 10)).toMatchObject([
      { actor: 'token:admin', action: 'blob.upload', subject: sha256 },
    ]);
  });

  it('of other bytes than named is refused', async () => {
    expect(await problemOf(await put(sha256, 'other'))).toMatchObject({
      status: 422,
      code: 'digest-mismatch',
    });
    expect(await stored()).toEqual([]);
  });

  it.each([
    ['that says it is too large', new Uint8Array(5_000_000)],
    ['that turns out too large', new Blob([new Uint8Array(5_000_000)]).stream()],
  ])('%s gets an answer and leaves nothing', async (_what, body) => {
    const init = { method: 'PUT', body, duplex: 'half' as const };
    const answer = await world.call(`/api/v1/blobs/${sha256}`, init);
    expect(await problemOf(answer)).toMatchObject({ status: 413, code: 'body-too-large' });
    expect(await stored()).toEqual([]);
  });

  it('under a name that is no digest is refused', async () => {
    expect(await problemOf(await put('..%2f..%2fetc', bytes))).toMatchObject({
      status: 400,
      code: 'bad-request',
    });
  });

  it('without credentials is not read', async () => {
    const answer = await fetch(`${world.url}/api/v1/blobs/${sha256}`, { method: 'PUT', body: bytes });
    expect(answer.status).toBe(401);
    expect(await stored()).toEqual([]);
  });

  it('that breaks off leaves nothing, and does not trouble the log', async () => {
    const upload = httpRequest(`${world.url}/api/v1/blobs/${sha256}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${world.token}`, 'content-length': 1_000 },
    });
    upload.on('error', () => undefined);
    upload.write(bytes);
    while ((await stored()).length === 0) await new Promise(setImmediate);
    upload.destroy();
    while ((await stored()).length > 0) await new Promise(setImmediate);
    expect(world.logged.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });
});
