// Hostile images at the inference endpoint of an agent, sent as encoded files to a real worker process. One process
// takes them all: it neither ends nor grows beyond what its largest allowed image needs.

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hostileBytes, hostileRows, nameOf } from './corpus.ts';
import { codeOf } from './control-plane-world.ts';
import { deviceWorld, type DeviceWorld } from './device-world.ts';
import { IMAGE_FILES, soundImage } from './image-files.ts';

const ENCODED = { 'inference-header-content-length': '0' };
const LIMIT_MS = 15_000;
/** The largest image is 256 MB decoded, and held once more while it is interlaced. */
const GROWTH_BYTES = 400 * 1024 ** 2;

let device: DeviceWorld;
let startBytes: number;
beforeAll(async () => {
  device = await deviceWorld();
  startBytes = peakBytes();
});
afterAll(() => device[Symbol.asyncDispose]());

/** The most that the worker ever held; fails once the process is gone. */
function peakBytes(): number {
  if (process.platform !== 'linux') return 0;
  const [, kib] =
    /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${device.workerPids[0]}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}

test.each(hostileRows('images', 'agent inference').map((row) => [nameOf(row), row] as const))(
  '%s',
  { timeout: LIMIT_MS },
  async (_name, row) => {
    const answer = await device.infer(hostileBytes('images', row, IMAGE_FILES), ENCODED);
    if (row.code === 'answered') expect(answer.status).toBe(200);
    else expect(await codeOf(answer)).toBe(row.code);
    expect(peakBytes() - startBytes).toBeLessThan(GROWTH_BYTES);
  },
);

test('after all of it a picture is answered by the same process', async () => {
  expect((await device.infer(soundImage(), ENCODED)).status).toBe(200);
  expect(device.serving.active?.state).toBe('ready');
  expect(device.workerPids).toHaveLength(1);
  process.kill(device.workerPids[0] as number, 0);
});
