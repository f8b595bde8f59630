// `holdfast-tuf` as a process, by the client protocol of the public TUF conformance suite.

import { execFile } from 'node:child_process';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DAY_MS, digest, utc } from './simulator.ts';
import type { Simulator } from './simulator.ts';
import { SimulatedWorld } from './simulated-world.ts';

const ENTRY = fileURLToPath(import.meta.resolve('#agent/tuf-command/main.ts'));
const PLAIN = ['root.json', 'snapshot.json', 'targets.json', 'timestamp.json'];

let world: SimulatedWorld;
let repository: Simulator;
let metadataDir: string;
let targetDir: string;

beforeEach(async () => {
  world = await SimulatedWorld.start();
  repository = world.repository;
  metadataDir = join(world.folder, 'metadata');
  targetDir = join(world.folder, 'downloads');
  // The process has the machine's own clock.
  for (const role of ['root', 'targets', 'snapshot', 'timestamp'])
    repository.document(role).expires = utc(Date.now() + DAY_MS);
  repository.publish('root', 'targets', 'snapshot', 'timestamp');
});
afterEach(() => world[Symbol.asyncDispose]());

interface Ended {
  readonly code: number;
  readonly stderr: string;
}

function run(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [ENTRY, ...args], (_, __, stderr) =>
      resolve({ code: child.exitCode ?? -1, stderr }),
    );
  });
}

async function init(anchor = repository.anchor): Promise<Ended> {
  await writeFile(join(world.folder, 'trusted.json'), anchor);
  return await run('--metadata-dir', metadataDir, 'init', join(world.folder, 'trusted.json'));
}
const refresh = () => run('--metadata-dir', metadataDir, '--metadata-url', `${world.url}metadata`, 'refresh');
const download = (name: string) => {
  const from = ['--metadata-dir', metadataDir, '--metadata-url', `${world.url}metadata/`];
  const to = ['--target-name', name, '--target-base-url', `${world.url}targets`, '--target-dir', targetDir];
  return run(...from, ...to, 'download');
};
const plain = async () => (await readdir(metadataDir)).filter((name) => name.endsWith('.json')).sort();

it('begins with the root it is given, without a request', async () => {
  expect(await init()).toEqual({ code: 0, stderr: '' });
  expect(await plain()).toEqual(['root.json']);
  expect(await readFile(join(metadataDir, 'root.json'))).toEqual(repository.anchor);
  expect(world.requests).toEqual([]);
});

it('shows what it trusts as plain files, byte for byte, delegated roles by their quoted names', async () => {
  repository.delegate('targets', '../a b').expires = utc(Date.now() + DAY_MS);
  repository.publishAll();
  await init();
  expect(await refresh()).toEqual({ code: 0, stderr: '' });
  expect(await plain()).toEqual(PLAIN);
  for (const name of PLAIN.slice(1))
    expect(await readFile(join(metadataDir, name))).toEqual(repository.files.get(name));
  expect(await download('missing')).toMatchObject({ code: 1 });
  expect(await plain()).toEqual(['..%2Fa%20b.json', ...PLAIN].sort());
});

it('downloads a target once', async () => {
  const bytes = Buffer.from('bytes');
  repository.addTarget('targets', 'dir/file', bytes);
  repository.publishAll();
  await init();
  for (const _ of [1, 2]) expect(await download('dir/file')).toEqual({ code: 0, stderr: '' });
  expect(await readdir(targetDir)).toEqual(['dir%2Ffile']);
  expect(await readFile(join(targetDir, 'dir%2Ffile'))).toEqual(bytes);
  const name = `targets/dir/${digest(bytes, 'sha256')}.file`;
  expect(world.requests.filter((request) => request.startsWith('targets/'))).toEqual([name]);
});

it('ends with 1 when a part of what was asked failed, and shows what proved good', async () => {
  await init();
  repository.files.delete('2.targets.json');
  const { code, stderr } = await refresh();
  expect(code).toBe(1);
  expect(stderr).toContain('tuf-unavailable');
  expect(await plain()).toEqual(['root.json', 'snapshot.json', 'timestamp.json']);
  repository.publishAll();
  expect(await refresh()).toMatchObject({ code: 0 });
  repository.timestamp.version = 1;
  repository.republish('timestamp');
  expect((await refresh()).stderr).toContain('tuf-rollback');
});

it('does not take what others write into its plain files for something to trust', async () => {
  await init();
  await refresh();
  const old = await readFile(join(metadataDir, 'timestamp.json'));
  repository.publish('timestamp');
  await refresh();
  for (const name of PLAIN) await writeFile(join(metadataDir, name), name === 'timestamp.json' ? old : '{');
  await writeFile(join(metadataDir, 'other.json'), '{}');
  repository.files.set('timestamp.json', old);
  expect((await refresh()).stderr).toContain('tuf-rollback');
  expect(await plain()).toEqual(PLAIN);
  expect(await readFile(join(metadataDir, 'timestamp.json'))).not.toEqual(old);
});

it('goes on with either copy of its anchor torn, and says so when both are', async () => {
  await init();
  const copies = ['anchor.seal', 'anchor.copy.seal'].map((name) => join(metadataDir, '.holdfast', name));
  for (const path of copies) {
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, 100));
    expect(await refresh()).toMatchObject({ code: 0 });
    await writeFile(path, bytes);
  }
  for (const path of copies) await writeFile(path, '');
  expect((await refresh()).stderr).toContain('state-corrupt');
  await init();
  expect(await refresh()).toMatchObject({ code: 0 });
});

it('refreshes nothing before init, nor from a root that does not hold', async () => {
  expect((await refresh()).stderr).toContain('bad-config');
  await init(Buffer.from('{}'));
  expect((await refresh()).stderr).toContain('tuf-signature');
  expect(world.requests).toEqual([]);
  await rm(metadataDir, { recursive: true });
  await init();
  expect(await refresh()).toMatchObject({ code: 0 });
});

it('ends with 1 where it is asked for nothing it can do', async () => {
  expect(await run('--metadata-dir', metadataDir, 'other')).toMatchObject({ code: 1 });
});

it('tells how it is used', async () => {
  expect(await run('--help')).toMatchObject({ code: 0 });
});
