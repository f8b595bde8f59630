// Fails when a tuf-js comes that keeps its clock, its trusted set, its files or its errors elsewhere.

import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fetcher } from 'tuf-js';
import { BadVersionError, DownloadHTTPError, ExpiredMetadataError } from 'tuf-js/dist/error.js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tufError } from '#agent/adapters/tuf-errors.ts';
import { ClockedUpdater } from '#agent/adapters/tuf-internals.ts';
import { DAY_MS, START_MS, Simulator } from '#test/integration/tuf-conformance/simulator.ts';

const BASE = 'https://gateway.invalid/image/';

let folder: string;
let repository: Simulator;
let replaced: Map<string, () => Promise<Buffer>>;

const fetcher: Fetcher = {
  downloadFile: () => Promise.reject(new Error('not used')),
  downloadBytes: async (url) => {
    const name = url.slice(BASE.length);
    const bytes = await (replaced.get(name)?.() ?? Promise.resolve(repository.files.get(name)));
    if (bytes === undefined) throw new DownloadHTTPError('missing', 404);
    return bytes;
  },
};

function updater(nowMs: number, floorMs = 0): ClockedUpdater {
  return new ClockedUpdater({
    metadataDir: join(folder, 'metadata'),
    metadataBaseUrl: BASE,
    fetcher,
    config: {},
    now: new Date(nowMs),
    floorMs: () => floorMs,
  });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-tuf-js-'));
  repository = new Simulator();
  replaced = new Map();
  await mkdir(join(folder, 'metadata'));
  await writeFile(join(folder, 'metadata', 'root.json'), repository.anchor);
});
afterEach(() => rm(folder, { recursive: true }));

it('holds expiry against the clock it is given, not the machine’s, and never before the floor', async () => {
  await updater(START_MS).refresh();
  await expect(updater(START_MS + 31 * DAY_MS).refresh()).rejects.toBeInstanceOf(ExpiredMetadataError);
  await expect(updater(START_MS - 3650 * DAY_MS).refresh()).resolves.toBeUndefined();
  const late = updater(0, START_MS + 31 * DAY_MS);
  await expect(late.refresh()).rejects.toBeInstanceOf(ExpiredMetadataError);
});

it('shows the trusted set', async () => {
  const client = updater(START_MS);
  expect(client.trusted.targets).toBeUndefined();
  await client.refresh();
  expect(client.trusted.root.signed.version).toBe(1);
  expect(client.trusted.timestamp?.signed.version).toBe(1);
  expect(client.trusted.snapshot?.signed.version).toBe(1);
  expect(client.trusted.targets?.signed.targets).toEqual({});
  expect(await client.findTarget('no/such/target')).toBeUndefined();
});

it('says which role a target was found in, and by which keys', async () => {
  repository.delegate('targets', 'team');
  repository.delegate('team', 'below');
  for (const role of ['targets', 'team', 'below'])
    repository.addTarget(role, `of-${role}`, Buffer.from(role));
  repository.publishAll();
  const client = updater(START_MS);
  await client.refresh();
  for (const role of ['targets', 'team']) {
    const found = await client.findTarget(`of-${role}`);
    expect(found).toMatchObject({ role, target: { length: role.length } });
    expect(found?.keys.map(({ keyID }) => keyID)).toEqual(repository.signers.get(role)?.map(({ id }) => id));
    expect(Object.keys(found?.signed.targets ?? {})).toEqual([`of-${role}`]);
  }
  expect(await client.findTarget('of-below')).toMatchObject({ role: null, keys: [] });
});

it('reads and writes delegated roles inside its folder, whatever they are called', async () => {
  repository.delegate('targets', '../outside');
  repository.addTarget('../outside', 'file', Buffer.from('file'));
  repository.publishAll();
  await writeFile(join(folder, 'outside.json'), repository.files.get('1.%2E%2E%2Foutside.json') ?? '');
  for (const _ of [1, 2]) {
    const client = updater(START_MS);
    await client.refresh();
    expect(await client.findTarget('file')).toMatchObject({ role: '../outside' });
  }
  expect(await readdir(join(folder, 'metadata'))).toContain('..%2Foutside.json');
});

it('throws the cause of a failed step, not the text that tuf-js makes of it', async () => {
  const missing = new DownloadHTTPError('gone', 503);
  replaced.set('1.snapshot.json', () => Promise.reject(missing));
  await expect(updater(START_MS).refresh()).rejects.toBe(missing);
  replaced.clear();
  repository.listsHashes = true;
  repository.publishAll();
  replaced.set('2.targets.json', async () => repository.files.get('1.targets.json') ?? Buffer.alloc(0));
  const mixed = await updater(START_MS)
    .refresh()
    .catch((error: unknown) => error);
  expect(tufError(mixed, 'image')).toMatchObject({ code: 'tuf-mismatch' });
});

it('does not take a check of old local files for the cause of a later failure', async () => {
  await updater(START_MS).refresh();
  repository.publishAll();
  const missing = new DownloadHTTPError('gone', 503);
  replaced.set('2.snapshot.json', () => Promise.reject(missing));
  await expect(updater(START_MS).refresh()).rejects.toBe(missing);
});

it('says that metadata could not be kept when the disk refuses it', async () => {
  await updater(START_MS).refresh();
  repository.publishAll();
  const client = updater(START_MS);
  replaced.set('2.snapshot.json', async () => {
    await rm(join(folder, 'metadata'), { recursive: true });
    return repository.files.get('2.snapshot.json') ?? Buffer.alloc(0);
  });
  const failure = await client.refresh().catch((error: unknown) => error);
  expect(tufError(failure, 'image')).toMatchObject({ code: 'internal' });
});

it.each([
  ['snapshot', 'files in the snapshot'],
  ['targets', 'delegations of targets'],
])('refuses a %s with more entries than tuf-js can copy in time', async (role, what) => {
  const entries = Array.from({ length: 1_001 }, (_, at) => `role-${at}`);
  if (role === 'snapshot') {
    const { meta } = repository.snapshot;
    for (const name of entries) meta[`${name}.json`] = { version: 1 };
  } else {
    const { roles } = (repository.targets.get('targets')!.delegations ??= { keys: {}, roles: [] });
    for (const name of entries) roles.push({ name, keyids: [], threshold: 1, terminating: false, paths: [] });
  }
  repository.publish(...(role === 'targets' ? ['targets'] : []), 'snapshot', 'timestamp');
  await expect(updater(START_MS).refresh()).rejects.toThrow(what);
});

it('refuses metadata older than what is stored', async () => {
  const old = repository.files.get('timestamp.json') ?? Buffer.alloc(0);
  repository.publishAll();
  await updater(START_MS).refresh();
  replaced.set('timestamp.json', () => Promise.resolve(old));
  await expect(updater(START_MS).refresh()).rejects.toBeInstanceOf(BadVersionError);
});
