// Hostile safetensors files as golden vectors of an import over HTTP, and on a device that is given them all the same.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ProcessRuntime } from '#agent/adapters/worker-process.ts';
import type { WorkerHandle } from '#agent/ports/runtime.ts';
import { errorCodeOf } from '#protocol/errors.ts';
import { digitsLoad } from '#test/fakes/worker-models.ts';
import { digits } from '#test/unit/control-plane/registry/registry-world.ts';
import { hostileBytes, hostileRows, nameOf } from './corpus.ts';
import { codeOf, controlPlaneWorld, type ControlPlaneWorld } from './control-plane-world.ts';
import { SAFETENSORS_FILES } from './safetensors-files.ts';

const LIMIT_MS = 10_000;
const rows = hostileRows('safetensors', 'golden vectors').map((row) => [nameOf(row), row] as const);

let world: ControlPlaneWorld;
let folder: string;
let runtime: ProcessRuntime;
let worker: WorkerHandle;
beforeAll(async () => {
  world = await controlPlaneWorld();
  await world.upload((await digits()).weights);
  folder = await mkdtemp(join(tmpdir(), 'holdfast-hostile-'));
  runtime = new ProcessRuntime({ log: () => undefined });
  worker = await runtime.spawn('a');
  await worker.load(digitsLoad());
});
afterAll(async () => {
  await runtime[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test.each(rows.filter(([, { made }]) => made !== 'empty'))(
  '%s is refused at the import',
  { timeout: LIMIT_MS },
  async (_name, row) => {
    const bytes = hostileBytes('safetensors', row, SAFETENSORS_FILES);
    const { contract } = await digits();
    const golden = { ...contract.golden, sha256: await world.upload(bytes), sizeBytes: bytes.byteLength };
    const answer = await world.post('/models/digits/versions', { contract: { ...contract, golden } });
    expect(await codeOf(answer)).toBe(row.code);
  },
);

test.each(rows)('%s is refused by a worker, which lives on', { timeout: LIMIT_MS }, async (_name, row) => {
  const bytes = hostileBytes('safetensors', row, SAFETENSORS_FILES);
  const path = join(folder, 'golden');
  await writeFile(path, bytes);
  const load = digitsLoad();
  const { contract } = load;
  await worker.load({
    ...load,
    contract: { ...contract, golden: { ...contract.golden, sizeBytes: bytes.byteLength } },
  });
  const refusal = await worker.golden(path, contract.golden.tolerance).then(() => 'taken', errorCodeOf);
  expect(['golden-invalid', 'safetensors-malformed']).toContain(refusal);
  expect(await worker.golden(load.goldenPath, contract.golden.tolerance).catch(errorCodeOf)).toBe(
    'golden-invalid',
  );
  expect(await worker.rssBytes()).toBeLessThan(1024 ** 3);
});
