// Hostile ONNX models on a device, past every look at the file: signed by a careless author. Real inference
// processes; the version in service must go on answering over HTTP through all of it.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#agent/adapters/system-clock.ts';
import type { LoadRequest } from '#agent/ports/runtime.ts';
import { Slots } from '#agent/supervisor/slots.ts';
import { errorCodeOf } from '#protocol/errors.ts';
import { aManifest } from '#test/fakes/agent-releases.ts';
import { keepingLogger } from '#test/fakes/silent-logger.ts';
import { roundsLoad } from '#test/fakes/worker-models.ts';
import { hostileBytes, hostileRows, nameOf } from './corpus.ts';
import { codeOf } from './control-plane-world.ts';
import { deviceForTest, deviceWorld, type DeviceWorld } from './device-world.ts';
import { ONNX_FILES } from './onnx-files.ts';
import { ONNX_MODELS } from './onnx-models.ts';

const BUILDERS = { ...ONNX_FILES, ...ONNX_MODELS };
const FROM_CALLER = 'size-from-caller.onnx';
const LIMIT_MS = 60_000;
const { profile } = roundsLoad();
/** Its workers may hold 640 MiB, which are reached sooner than a gigabyte and a half. */
const SMALL_DEVICE = { ...profile, budgets: { ...profile.budgets, memoryBytes: 128 * 1024 ** 2 } };
const IMAGE = JSON.stringify({
  inputs: [{ name: 'image', datatype: 'UINT8', shape: [28, 28], data: Array<number>(784).fill(9) }],
});

let folder: string;
let device: DeviceWorld;
let slots: Slots;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-hostile-'));
  device = await deviceWorld();
  slots = new Slots({
    runtime: device.runtime,
    serving: device.serving,
    artifacts: {
      fetch: () => Promise.resolve(join(folder, 'candidate.onnx')),
      keepOnly: () => Promise.resolve(),
    },
    profile: SMALL_DEVICE,
    clock: systemClock,
    logger: keepingLogger(),
  });
});
afterAll(async () => {
  await slots[Symbol.asyncDispose]();
  await device[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** The contract of the models in onnx-models.ts: `y` FP32 [] of `x` [1]. */
function contractOf(dtype: 'FP32' | 'INT64'): LoadRequest['contract'] {
  const { contract } = roundsLoad();
  const outputs = [{ name: 'y', dtype: 'FP32' as const, shape: [] }];
  return { ...contract, inputs: [{ name: 'x', dtype, shape: [1] }], outputs };
}

const atLoad = hostileRows('onnx', 'agent worker').filter(({ file }) => file !== FROM_CALLER);

test.each(atLoad.map((row) => [nameOf(row), row] as const))(
  '%s ends its own process only',
  { timeout: LIMIT_MS },
  async (_name, row) => {
    await writeFile(join(folder, 'candidate.onnx'), hostileBytes('onnx', row, BUILDERS));
    const manifest = { ...aManifest(2), contract: contractOf('FP32') };
    const { signal } = new AbortController();
    const ending = { isOver: false };
    const loading = slots
      .loadCandidate('b', { manifest, manifestSha256: '0'.repeat(64) }, signal)
      .then(() => 'loaded', errorCodeOf)
      .finally(() => (ending.isOver = true));
    // The version in service answers all the while.
    do expect((await device.infer(IMAGE)).status).toBe(200);
    while (!ending.isOver);
    expect(await loading).toBe(row.code);
    expect(device.serving.active).toMatchObject({ state: 'ready', release: { version: 1 } });
  },
);

test('memory as large as a caller says is refused to this caller, and the model serves the next', async () => {
  const [row] = hostileRows('onnx', 'agent worker').filter(({ file }) => file === FROM_CALLER);
  if (row === undefined) throw new Error('the corpus lacks it');
  const weightsPath = join(folder, FROM_CALLER);
  await writeFile(weightsPath, hostileBytes('onnx', row, BUILDERS));
  const own = await deviceForTest({
    ...roundsLoad(),
    weightsPath,
    contract: contractOf('INT64'),
    profile: SMALL_DEVICE,
  });
  const ask = (values: number): Promise<Response> =>
    own.infer(JSON.stringify({ inputs: [{ name: 'x', datatype: 'INT64', shape: [1], data: [values] }] }));
  expect((await ask(4)).status).toBe(200);
  expect(await codeOf(await ask(6_000_000_000))).toBe(row.code);
  expect((await ask(4)).status).toBe(200);
}, LIMIT_MS); // prettier-ignore
