// Hostile ONNX files by the two ways in that look before they decode: an import over HTTP into a real control plane,
// and the command line's inspection of a file with data files beside it.

import { execFileSync } from 'node:child_process';
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inspectFile } from '#control-plane/compression/alone/inspect-file.ts';
import { errorCodeOf } from '#protocol/errors.ts';
import { digits } from '#test/unit/control-plane/registry/registry-world.ts';
import { hostileBytes, hostileRows, nameOf } from './corpus.ts';
import { codeOf, controlPlaneWorld, type ControlPlaneWorld } from './control-plane-world.ts';
import { ONNX_FILES } from './onnx-files.ts';

/** A refusal takes about two seconds for ten million fields; machines differ. */
const LIMIT_MS = 15_000;

let world: ControlPlaneWorld;
let folder: string;
let goldenSha256: string;
beforeAll(async () => {
  world = await controlPlaneWorld();
  goldenSha256 = await world.upload((await digits()).golden);
  folder = await mkdtemp(join(tmpdir(), 'holdfast-hostile-'));
  await mkdir(join(folder, 'model'));
  for (const name of ['secret', 'model/data']) await writeFile(join(folder, name), new Uint8Array(64));
  await symlink('../secret', join(folder, 'model', 'link'));
  await symlink('/dev/zero', join(folder, 'model', 'zero'));
  await link(join(folder, 'secret'), join(folder, 'model', 'hard'));
  execFileSync('sh', ['-c', 'mkfifo "$0"', join(folder, 'model', 'pipe')]);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function importOf(weights: Uint8Array): Promise<Response> {
  const { contract } = await digits();
  const blob = { sha256: await world.upload(weights), sizeBytes: weights.byteLength };
  expect(contract.golden.sha256).toBe(goldenSha256);
  return world.post(`/models/${contract.model}/versions`, { contract: { ...contract, weights: blob } });
}

test.each(hostileRows('onnx', 'registry import').map((row) => [nameOf(row), row] as const))(
  '%s is refused at the import',
  { timeout: LIMIT_MS },
  async (_name, row) => {
    const answer = await importOf(hostileBytes('onnx', row, ONNX_FILES));
    expect(await codeOf(answer)).toBe(row.code);
  },
);

test.each(hostileRows('onnx', 'compress inspect').map((row) => [nameOf(row), row] as const))(
  '%s is refused on the command line',
  { timeout: LIMIT_MS },
  async (_name, row) => {
    const path = join(folder, 'model', 'hostile.onnx');
    await writeFile(path, hostileBytes('onnx', row, ONNX_FILES));
    expect(await inspectFile(path).then(() => 'taken', errorCodeOf)).toBe(row.code);
  },
);

test('a pipe in place of the model is refused, and not waited for', async () => {
  const path = join(folder, 'model', 'pipe');
  expect(await inspectFile(path).then(() => 'taken', errorCodeOf)).toBe('bad-config');
});

test('after all of it a sound version is imported', async () => {
  expect((await importOf((await digits()).weights)).status).toBe(201);
  const versions = (await (await world.call('/models/digits/versions')).json()) as { items: unknown[] };
  expect(versions.items).toHaveLength(1);
});
