// Sound input with a few bytes changed, thousands of times, from a fixed seed: what reads it answers or throws a
// HoldfastError, never anything else.

import { gzipSync } from 'node:zlib';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readBundle } from '#control-plane/artifacts/bundle-reader.ts';
import { decodeModel, encodeModel } from '#control-plane/compression/onnx/codec.ts';
import { inspectOnnx } from '#control-plane/compression/onnx/inspect.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { decodeMessage, encodeMessage } from '#protocol/messages.ts';
import { decodeSafetensors } from '#protocol/safetensors.ts';
import { convModel } from '#test/unit/control-plane/compression/small-models.ts';
import { digits } from '#test/unit/control-plane/registry/registry-world.ts';
import { soundBundle } from './archive-files.ts';
import { ONNX_FILES } from './onnx-files.ts';
import { ONNX_MODELS } from './onnx-models.ts';

/** mulberry32: the same numbers from the same seed, 0 to `below` - 1. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Changes, inserts, removes, repeats or cuts off, one to four times. */
function mutated(bytes: Uint8Array, pick: (below: number) => number): Uint8Array {
  let changed = Buffer.from(bytes);
  for (let count = 1 + pick(4); count > 0; count--) {
    const at = pick(changed.length + 1);
    const to = Math.min(changed.length, at + pick(16));
    const [head, cut, tail] = [changed.subarray(0, at), changed.subarray(at, to), changed.subarray(to)];
    const inserted = Buffer.from(Array.from({ length: 1 + pick(8) }, () => [0, 1, 0x7f, 0x80, 0xff, pick(256)][pick(6)] as number)); // prettier-ignore
    const kind = pick(5);
    if (kind === 0) changed = Buffer.concat([head, inserted, tail]);
    else if (kind === 1) changed = Buffer.concat([head, inserted, cut, tail]);
    else if (kind === 2) changed = Buffer.concat([head, tail]);
    else if (kind === 3) changed = Buffer.concat([head, cut, cut, tail]);
    else changed = Buffer.from(head);
  }
  return changed;
}

/** Whether `read` took it; throws what is no HoldfastError. */
async function isTaken(read: () => unknown): Promise<boolean> {
  try {
    await read();
    return true;
  } catch (error) {
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}

async function runs(
  seed: number,
  count: number,
  samples: readonly Uint8Array[],
  read: (bytes: Uint8Array) => unknown,
): Promise<number> {
  const pick = numbersFrom(seed);
  let refused = 0;
  for (let run = 0; run < count; run++) {
    const bytes = mutated(samples[run % samples.length] as Uint8Array, pick);
    if (!(await isTaken(() => read(bytes)))) refused++;
  }
  return refused;
}

const small = (files: Readonly<Record<string, () => Uint8Array>>): Uint8Array[] =>
  Object.entries(files).flatMap(([name, make]) => (/bomb|nested|megabyte/.test(name) ? [] : [make()]));

test('changed ONNX files', async () => {
  const samples = [encodeModel(convModel()), ...small(ONNX_MODELS), ...small(ONNX_FILES)];
  expect(await runs(1, 4_000, samples, inspectOnnx)).toBeGreaterThan(1_000);
  expect(await runs(2, 2_000, samples, (bytes) => encodeModel(decodeModel(bytes)))).toBeGreaterThan(500);
});

test('changed safetensors files', async () => {
  const { golden } = await digits();
  expect(await runs(3, 2_000, [golden.subarray(0, 20_000), golden], decodeSafetensors)).toBeGreaterThan(500);
});

test('changed device messages', async () => {
  const fields = { id: 'a', seq: 1, boot: 'b', sentAtMs: 1, body: { online: true } };
  const sample = Buffer.from(encodeMessage('presence', fields));
  expect(await runs(4, 4_000, [sample], (bytes) => decodeMessage('presence', bytes))).toBeGreaterThan(1_000);
});

test('changed bundles', async () => {
  const limits = { 'contract.json': 1e6, 'weights.onnx': 1e6, 'golden.safetensors': 1e6, 'model.sig': 1e6 };
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-hostile-'));
  const read = async (bytes: Uint8Array): Promise<void> => {
    const into = await mkdtemp(join(folder, 'bundle-'));
    await readBundle(chunksOf(bytes), into, limits);
  };
  try {
    // Headers, where a change matters, are few among the data of a whole archive.
    const samples = [soundBundle().subarray(0, 1_024), soundBundle(), gzipSync(soundBundle())];
    expect(await runs(5, 900, samples, read)).toBeGreaterThan(300);
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 65_536)
    yield await Promise.resolve(bytes.subarray(at, at + 65_536));
}
