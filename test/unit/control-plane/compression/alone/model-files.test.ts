import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readModelFile, writeModelFile } from '#control-plane/compression/alone/model-files.ts';
import { decodeModel, encodeModel } from '#control-plane/compression/onnx/codec.ts';
import { makeNode } from '#control-plane/compression/onnx/messages.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { writeModel } from '#control-plane/compression/onnx/write-model.ts';
import { convBytes, modelOf, noise } from '../small-models.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

const denseBytes = (): Uint8Array =>
  encodeModel(
    modelOf(
      [makeNode('MatMul', ['x', 'w'], ['y'], 'm')],
      [floatTensor('w', [32, 64], noise(2048))],
      { x: [1, 32] },
      { y: [1, 64] },
    ),
  );

const refusal = (code: string): unknown => expect.objectContaining({ code });

test('a model of one file is read and written byte for byte', async () => {
  await writeModelFile(join(folder, 'm.onnx'), convBytes());
  expect(await readdir(folder)).toEqual(['m.onnx']);
  expect(Buffer.from(await readModelFile(join(folder, 'm.onnx'))).equals(convBytes())).toBe(true);
});

test('a model with external data is read as one message', async () => {
  const path = join(folder, 'm.onnx');
  await writeModel(path, decodeModel(denseBytes()), { thresholdBytes: 0 });
  expect((await readFile(path)).byteLength).toBeLessThan(1000);
  expect(Buffer.from(await readModelFile(path)).equals(denseBytes())).toBe(true);
});

test('data that is not beside the model is refused', async () => {
  await mkdir(join(folder, 'elsewhere'));
  const path = join(folder, 'm.onnx');
  await writeModel(path, decodeModel(denseBytes()), { thresholdBytes: 0 });
  await rename(`${path}.data`, join(folder, 'elsewhere', 'm.onnx.data'));
  await expect(readModelFile(path)).rejects.toThrow(refusal('onnx-external-data'));
});

test('what is missing, is no model or cannot be written is told', async () => {
  await expect(readModelFile(join(folder, 'none.onnx'))).rejects.toThrow(refusal('bad-config'));
  await writeFile(join(folder, 'text.onnx'), 'this is not a model');
  await expect(readModelFile(join(folder, 'text.onnx'))).rejects.toThrow(refusal('onnx-malformed'));
  await expect(writeModelFile(join(folder, 'none', 'm.onnx'), convBytes())).rejects.toThrow(
    refusal('bad-config'),
  );
});
