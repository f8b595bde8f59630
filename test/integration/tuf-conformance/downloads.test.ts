// The bytes of targets, and where they and metadata lie: TUF 1.0 sections 5.7 and 7.

import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { downloadTarget } from '#agent/adapters/tuf-target-download.ts';
import { digest } from './simulator.ts';
import type { Simulator } from './simulator.ts';
import { SimulatedWorld } from './simulated-world.ts';

const BYTES = Buffer.from('the bytes that were signed');

let world: SimulatedWorld;
let repository: Simulator;
let directory: string;

beforeEach(async () => {
  world = await SimulatedWorld.start();
  repository = world.repository;
  directory = join(world.folder, 'targets');
});
afterEach(() => world[Symbol.asyncDispose]());

async function download(path: string): Promise<string> {
  const { found, isConsistentSnapshot } = await world.refresh(path);
  const target = found.get(path)?.target;
  if (target === undefined) throw new Error(`${path} was not found`);
  const { dispatcher } = world;
  return await downloadTarget(target, {
    baseUrl: `${world.url}targets/`,
    directory,
    dispatcher,
    isConsistentSnapshot,
  });
}

function serve(path: string, bytes = BYTES, algorithms?: readonly string[]): void {
  repository.addTarget('targets', path, bytes, algorithms);
  repository.publishAll();
}

const asked = (): string[] => world.requests.filter((name) => name.startsWith('targets/'));
const prefixed = `targets/dir/${digest(BYTES, 'sha256')}.file`;

describe.each([true, false])('with consistent snapshots: %s', (isConsistent) => {
  beforeEach(() => {
    repository.root.consistent_snapshot = isConsistent;
    repository.publish('root');
  });

  it('asks for the names that such a repository has', async () => {
    serve('dir/file');
    expect(await readFile(await download('dir/file'))).toEqual(BYTES);
    expect(world.requests).toEqual([
      'metadata/2.root.json',
      'metadata/3.root.json',
      'metadata/timestamp.json',
      isConsistent ? 'metadata/2.snapshot.json' : 'metadata/snapshot.json',
      isConsistent ? 'metadata/2.targets.json' : 'metadata/targets.json',
      isConsistent ? prefixed : 'targets/dir/file',
    ]);
  });

  it('follows what is published anew', async () => {
    serve('dir/file');
    await download('dir/file');
    serve('dir/file', Buffer.from('newer'));
    expect(String(await readFile(await download('dir/file')))).toBe('newer');
    expect(await readdir(directory)).toHaveLength(1);
  });
});

it('does not fetch again what is there, and does when it was changed', async () => {
  serve('dir/file');
  const path = await download('dir/file');
  await download('dir/file');
  expect(asked()).toEqual([prefixed]);
  for (const other of ['', 'the bytes that were SIGNED', 'the bytes that were signed, and more']) {
    await writeFile(path, other);
    expect(await readFile(await download('dir/file'))).toEqual(BYTES);
  }
  expect(asked()).toHaveLength(4);
});

describe('keeps nothing', () => {
  beforeEach(() => serve('dir/file'));

  async function refused(code: string): Promise<void> {
    await expect(download('dir/file')).rejects.toMatchObject({ code });
    expect(await readdir(directory)).toEqual([]);
  }

  it.each([
    ['of other bytes', 'digest-mismatch', Buffer.from('the bytes that were SIGNED')],
    ['too short', 'length-mismatch', BYTES.subarray(1)],
    ['too long', 'length-mismatch', Buffer.concat([BYTES, BYTES])],
  ])('%s', async (_, code, bytes) => {
    world.misbehave.set(prefixed, (_request, response) => response.end(bytes));
    await refused(code);
  });

  it('that never ends', async () => {
    let sentBytes = 0;
    const closed = new Promise<void>((resolve) => {
      world.misbehave.set(prefixed, (_, response) => {
        const pour = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536))) sentBytes += 65_536;
        };
        response.on('drain', pour).on('close', resolve).on('error', resolve);
        pour();
      });
    });
    await refused('length-mismatch');
    await closed;
    expect(sentBytes).toBeLessThan(16 * 1024 * 1024);
  });

  it.each([301, 302, 307, 404, 500])('from an answer of %i', async (status) => {
    world.misbehave.set(prefixed, (_, response) =>
      response.writeHead(status, { location: `${world.url}targets/dir/file` }).end(BYTES),
    );
    await refused('download-failed');
    expect(asked()).toEqual([prefixed]);
  });

  it('of a connection that broke', async () => {
    world.misbehave.set(prefixed, (_, response) => {
      response.writeHead(200, { 'content-length': BYTES.length });
      response.write(BYTES.subarray(0, 3), () => response.destroy());
    });
    await refused('download-failed');
  });
});

it('keeps the old file when the new one is refused', async () => {
  serve('file');
  const path = await download('file');
  serve('file', Buffer.from('newer'));
  repository.artifacts.clear();
  await expect(download('file')).rejects.toMatchObject({ code: 'download-failed' });
  expect(await readFile(path)).toEqual(BYTES);
});

it.each([[['sha256']], [['sha512']], [['sha512', 'sha256']], [['sha384']]])(
  'checks %j',
  async (algorithms) => {
    serve('file', BYTES, algorithms);
    expect(await readFile(await download('file'))).toEqual(BYTES);
    await writeFile(join(directory, 'file'), 'x');
    for (const name of repository.artifacts.keys())
      repository.artifacts.set(name, Buffer.alloc(BYTES.length));
    await expect(download('file')).rejects.toMatchObject({ code: 'digest-mismatch' });
  },
);

it.each([
  ['no hash', {}],
  ['a weak hash', { md5: digest(BYTES, 'md5') }],
  ['an unknown hash', { unknown: digest(BYTES, 'sha256') }],
  ['an unknown hash beside a good one', { sha256: digest(BYTES, 'sha256'), unknown: '00' }],
  ['a hash that is a path', { sha256: `../../${digest(BYTES, 'sha256')}` }],
])('fetches nothing that is signed with %s', async (_, hashes) => {
  serve('file');
  repository.targets.get('targets')!.targets.file!.hashes = hashes;
  repository.publishAll();
  await expect(download('file')).rejects.toMatchObject({ code: 'tuf-mismatch' });
  expect(asked()).toEqual([]);
});

it.each(['a b', '?', '#', 'x?y=1', 'é', 'a/b/c', "x'(y)!*", 'a\\b', '~', 'x'.repeat(150), '.hidden', '...'])(
  'finds %s under its own name, inside the folder',
  async (path) => {
    serve(path);
    expect(await readFile(await download(path))).toEqual(BYTES);
    expect((await readdir(directory)).filter((name) => !name.startsWith('.'))).toHaveLength(1);
  },
);

it.each(['..', '.', '../x', 'a/../x', '/x', 'a//x', 'a/', '%2e%2e/x', 'a/%2E./x'])(
  'fetches no %s',
  async (path) => {
    await mkdir(directory);
    serve(path);
    await expect(download(path)).rejects.toMatchObject({ code: 'tuf-mismatch' });
    expect(asked()).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  },
);
