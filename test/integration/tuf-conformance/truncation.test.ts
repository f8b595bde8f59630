// A power cut can leave any file at any length. Every file of a client's store is cut at every byte position, and
// from every state that a cut leaves the client starts, refuses the rollback, and follows the honest repository.
// A refresh knows of the store what it loads at its start: of cuts that load alike, one is refreshed from.

import { existsSync, writeFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import type { Fetcher } from 'tuf-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TufClient } from '#agent/adapters/tuf-client.ts';
import { TufGenerations } from '#agent/adapters/tuf-generations.ts';
import type { VersionMemory } from '#agent/adapters/tuf-memory.ts';
import { START_MS, Simulator } from './simulator.ts';

/** Thousands of reads: a disk in memory where there is one, as fsync costs nothing there. */
const DISK = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

const repository = new Simulator();
let folder: string;
let client: TufClient;
/** The repository as it was before the client saw newer. */
let old: ReadonlyMap<string, Buffer>;
let isHonest = true;
/** What the whole store remembers. */
let remembered: VersionMemory | null;

const fetcher: Fetcher = {
  downloadFile: () => Promise.reject(new Error('not used')),
  downloadBytes: (url) => {
    const name = url.slice(url.lastIndexOf('/') + 1);
    const bytes = (isHonest ? repository.files : old).get(name);
    return bytes === undefined ? Promise.reject(new DownloadHTTPError(name, 404)) : Promise.resolve(bytes);
  },
};

beforeAll(async () => {
  folder = await mkdtemp(join(DISK, 'holdfast-cut-'));
  client = new TufClient({
    name: 'simulated',
    directory: join(folder, 'store'),
    anchor: repository.anchor,
    baseUrl: 'http://repository.invalid/',
    fetcher: () => fetcher,
    now: () => new Date(START_MS),
  });
  repository.publishAll();
  old = new Map(repository.files);
  await refresh();
  repository.publishAll();
  await refresh();
  await cp(join(folder, 'store'), join(folder, 'healthy'), { recursive: true });
  remembered = (await new TufGenerations(join(folder, 'store'), repository.anchor).load()).memory;
  expect(remembered).toMatchObject({ timestamp: 3, snapshot: 3 });
});
afterAll(() => rm(folder, { recursive: true }));

async function refresh(): Promise<number> {
  const { targets } = await client.refresh(new AbortController().signal);
  return targets.version;
}

async function hasForgottenNothing(): Promise<void> {
  isHonest = false;
  await expect(refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
  isHonest = true;
  expect(await refresh()).toBe(3);
}

it('keeps two generations and what they remember', async () => {
  const names = (await readdir(join(folder, 'store'), { recursive: true })).sort();
  const inside = ['generation.seal', 'root.json', 'snapshot.json', 'targets.json', 'timestamp.json'];
  const generations = ['gen-1', 'gen-2'].flatMap((name) => [
    name,
    ...inside.map((file) => `${name}/${file}`),
  ]);
  expect(names).toEqual([...generations, 'memory.json']);
  await hasForgottenNothing();
});

it.each(
  ['gen-1', 'gen-2'].flatMap((generation) =>
    ['root.json', 'timestamp.json', 'snapshot.json', 'targets.json', 'generation.seal'].map(
      (name) => `${generation}/${name}`,
    ),
  ),
)('goes on with %s cut at every byte', (path) => cutEverywhere(path));

it('goes on with memory.json cut at every byte', () => cutEverywhere('memory.json'));

async function cutEverywhere(path: string): Promise<void> {
  const bytes = await readFile(join(folder, 'healthy', path));
  expect(bytes.length).toBeGreaterThan(100);
  const generations = new TufGenerations(join(folder, 'store'), repository.anchor);
  const followed = new Set<string>();
  for (let length = 0; length < bytes.length; length += 1) {
    writeFileSync(join(folder, 'store', path), bytes.subarray(0, length));
    const { files, ...state } = await generations.load();
    expect(state.memory).toEqual(remembered);
    const loaded = JSON.stringify([state, [...files].map(([name, content]) => [name, String(content)])]);
    if (followed.has(loaded)) continue;
    followed.add(loaded);
    await hasForgottenNothing();
    await restore();
  }
  await restore();
  expect(followed.size).toBeLessThan(4);
}

async function restore(): Promise<void> {
  await rm(join(folder, 'store'), { recursive: true });
  await cp(join(folder, 'healthy'), join(folder, 'store'), { recursive: true });
}
