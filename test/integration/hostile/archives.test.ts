// Hostile bundles sent over HTTP to a real control plane: each is refused with its code, and leaves nothing.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { hostileBytes, hostileRows, nameOf } from './corpus.ts';
import { ARCHIVE_FILES, soundBundle } from './archive-files.ts';
import { codeOf, controlPlaneWorld, type ControlPlaneWorld } from './control-plane-world.ts';

const LIMIT_MS = 15_000;
/** Bombs unpack to 64 MiB, of which chunks are held; the rest is what this test itself makes. */
const GROWTH_BYTES = 128 * 1024 ** 2;

let world: ControlPlaneWorld;
beforeAll(async () => {
  world = await controlPlaneWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const send = (bytes: Uint8Array, model = 'digits'): Promise<Response> =>
  world.call(`/models/${model}/versions/bundle`, { method: 'POST', body: Buffer.from(bytes) });

test.each(hostileRows('archives', 'bundle import').map((row) => [nameOf(row), row] as const))(
  '%s',
  { timeout: LIMIT_MS },
  async (_name, row) => {
    const bytes = hostileBytes('archives', row, ARCHIVE_FILES);
    const beforeBytes = process.memoryUsage().rss;
    expect(await codeOf(await send(bytes))).toBe(row.code);
    expect(process.memoryUsage().rss - beforeBytes).toBeLessThan(GROWTH_BYTES);
    expect(await world.stored()).toEqual([]);
    expect(await world.scratch()).toEqual([]);
  },
);

test('a bundle that ends in the middle leaves nothing', async () => {
  const half = soundBundle().subarray(0, 20_000);
  const aborting = new AbortController();
  const body = new ReadableStream({
    pull: (controller) => {
      controller.enqueue(half);
      setImmediate(() => aborting.abort());
    },
  });
  const sent = world.call('/models/digits/versions/bundle', {
    method: 'POST',
    body,
    duplex: 'half',
    signal: aborting.signal,
  });
  await expect(sent).rejects.toThrow(/abort/);
  await expect.poll(() => world.scratch()).toEqual([]);
  expect(await world.stored()).toEqual([]);
});

test('a bundle of another model than its address is refused, and leaves nothing', async () => {
  expect(await codeOf(await send(soundBundle(), 'other'))).toBe('contract-invalid');
  expect(await world.stored()).toEqual([]);
});

test('after all of it a sound bundle is imported, plain and gzipped, as one version', async () => {
  for (const bytes of [soundBundle(), gzipSync(soundBundle())]) {
    const answer = await send(bytes);
    expect(answer.status).toBe(201);
    expect(await answer.json()).toMatchObject({ model: 'digits', version: 1 });
  }
  expect(await world.stored()).toHaveLength(2);
  expect(await world.scratch()).toEqual([]);
});

test('the command line sends a bundle, and tells a refusal', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bundle-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const paths = { sound: join(folder, 'sound.tar.gz'), hostile: join(folder, 'hostile.tar') };
  await writeFile(paths.sound, gzipSync(soundBundle()));
  await writeFile(paths.hostile, ARCHIVE_FILES['parent-folder']?.() ?? '');
  const taken = await world.holdfast('model', 'import-bundle', 'digits', paths.sound);
  expect(taken).toMatchObject({ code: 0, out: expect.stringContaining('digits') as string });
  const refused = await world.holdfast('model', 'import-bundle', 'digits', paths.hostile);
  expect(refused).toMatchObject({ code: 2, out: expect.stringContaining('../escaped') as string });
});
