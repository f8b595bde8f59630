// Fails when a tuf-js comes that keeps its clock, its trusted set or its errors elsewhere.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fetcher } from 'tuf-js';
import { BadVersionError, DownloadHTTPError, ExpiredMetadataError } from 'tuf-js/dist/error.js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tufError } from '#agent/adapters/tuf-errors.ts';
import { ClockedUpdater } from '#agent/adapters/tuf-internals.ts';
import { ImageRepository } from '#control-plane/trust/image-repository.ts';
import { KeyStore } from '#control-plane/trust/key-store.ts';

const NOW_MS = Date.UTC(2040, 5, 1);
const BASE = 'https://gateway.invalid/image/';

let folder: string;
let image: ImageRepository;
let replaced: Map<string, () => Promise<Buffer>>;

const fetcher: Fetcher = {
  downloadFile: () => Promise.reject(new Error('not used')),
  downloadBytes: async (url) => {
    const name = url.slice(BASE.length);
    const bytes = await (replaced.get(name)?.() ?? image.readImageFile(name));
    if (bytes === null) throw new DownloadHTTPError('missing', 404);
    return bytes;
  },
};

function updater(nowMs: number): ClockedUpdater {
  return new ClockedUpdater({
    metadataDir: join(folder, 'metadata'),
    metadataBaseUrl: BASE,
    fetcher: { ...fetcher },
    config: {},
    now: new Date(nowMs),
  });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-tuf-js-'));
  const keyStore = await KeyStore.open(join(folder, 'keys'));
  image = await ImageRepository.open({
    directory: join(folder, 'image'),
    keyStore,
    now: () => new Date(NOW_MS),
  });
  replaced = new Map();
  await mkdir(join(folder, 'metadata'));
  await writeFile(join(folder, 'metadata', 'root.json'), image.trustedRoot);
});
afterEach(() => rm(folder, { recursive: true }));

it('holds expiry against the clock it is given, not the machine’s', async () => {
  await updater(NOW_MS).refresh();
  await expect(updater(NOW_MS + 8 * 86_400_000).refresh()).rejects.toBeInstanceOf(ExpiredMetadataError);
  await expect(updater(NOW_MS - 10 * 365 * 86_400_000).refresh()).resolves.toBeUndefined();
});

it('shows the trusted set', async () => {
  const client = updater(NOW_MS);
  expect(client.trusted.targets).toBeUndefined();
  await client.refresh();
  expect(client.trusted.root.signed.version).toBe(1);
  expect(client.trusted.timestamp?.signed.version).toBe(1);
  expect(client.trusted.snapshot?.signed.version).toBe(1);
  expect(client.trusted.targets?.signed.targets).toEqual({});
  expect(await client.findTarget('no/such/target')).toBeUndefined();
});

it('throws the cause of a failed step, not the text that tuf-js makes of it', async () => {
  const missing = new DownloadHTTPError('gone', 503);
  replaced.set('1.snapshot.json', () => Promise.reject(missing));
  await expect(updater(NOW_MS).refresh()).rejects.toBe(missing);
  replaced.set(
    '1.snapshot.json',
    async () => (await image.readImageFile('1.targets.json')) ?? Buffer.alloc(0),
  );
  const mixed = await updater(NOW_MS)
    .refresh()
    .catch((error: unknown) => error);
  expect(tufError(mixed, 'image')).toMatchObject({ code: 'tuf-mismatch' });
});

it('does not take a check of old local files for the cause of a later failure', async () => {
  await updater(NOW_MS).refresh();
  await image.addTarget({
    path: 'a/1/cpu.json',
    bytes: Buffer.alloc(1),
    custom: { profile: 'cpu', releaseCounter: 1 },
  });
  const missing = new DownloadHTTPError('gone', 503);
  replaced.set('2.snapshot.json', () => Promise.reject(missing));
  await expect(updater(NOW_MS).refresh()).rejects.toBe(missing);
});

it('says that metadata could not be kept when the disk refuses it', async () => {
  await updater(NOW_MS).refresh();
  await image.addTarget({
    path: 'a/1/cpu.json',
    bytes: Buffer.alloc(1),
    custom: { profile: 'cpu', releaseCounter: 1 },
  });
  const client = updater(NOW_MS);
  replaced.set('2.snapshot.json', async () => {
    await rm(join(folder, 'metadata'), { recursive: true });
    return (await image.readImageFile('2.snapshot.json')) ?? Buffer.alloc(0);
  });
  const failure = await client.refresh().catch((error: unknown) => error);
  expect(tufError(failure, 'image')).toMatchObject({ code: 'internal' });
});

it('refuses metadata older than what is stored', async () => {
  const old = await image.readImageFile('timestamp.json');
  await image.addTarget({
    path: 'a/1/cpu.json',
    bytes: Buffer.alloc(1),
    custom: { profile: 'cpu', releaseCounter: 1 },
  });
  await updater(NOW_MS).refresh();
  replaced.set('timestamp.json', async () => old ?? Buffer.alloc(0));
  await expect(updater(NOW_MS).refresh()).rejects.toBeInstanceOf(BadVersionError);
});
