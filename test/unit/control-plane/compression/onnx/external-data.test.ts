import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeNode, makeTensor, makeValueInfo } from '#control-plane/compression/onnx/messages.ts';
import { ModelFile } from '#control-plane/compression/onnx/model-file.ts';
import { TensorProtoDataType, type ModelProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { writeModel } from '#control-plane/compression/onnx/write-model.ts';
import { modelOf, noise } from '../small-models.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

const sha256 = (bytes: Uint8Array | never[]) => createHash('sha256').update(Buffer.from(bytes)).digest('hex');

/** x [1, 512] times w [512, 1024] plus b [1024], where w has 2 MiB; `s` is small. */
function denseModel(): ModelProto {
  return modelOf(
    [makeNode('Gemm', ['x', 'w', 'b'], ['g'], 'gemm'), makeNode('Mul', ['g', 's'], ['y'], 'mul')],
    [
      floatTensor('s', [], Float32Array.of(2)),
      floatTensor('b', [1024], noise(1024, 2)),
      floatTensor('w', [512, 1024], noise(512 * 1024)),
    ],
    { x: [1, 512] },
    { y: [1, 1024] },
  );
}

const entriesOf = (model: ModelProto) =>
  graphOf(model).initializer.map(({ name = '', externalData }) => [
    name,
    Object.fromEntries(externalData.map(({ key = '', value }) => [key, value])),
  ]);

test('a model over the threshold is written as two files, which ONNX Runtime loads', async () => {
  const path = join(folder, 'm.onnx');
  await writeModel(path, denseModel(), { thresholdBytes: 2 ** 20 });
  expect(await readdir(folder)).toEqual(['m.onnx', 'm.onnx.data']);
  expect(entriesOf(decodeModel(await readFile(path)))).toEqual([
    ['s', {}],
    ['b', { location: 'm.onnx.data', offset: '0', length: '4096' }],
    ['w', { location: 'm.onnx.data', offset: '65536', length: String(2 ** 21) }],
  ]);
  const session = await InferenceSession.create(path, { logSeverityLevel: 3 });
  await session.release();
});

test('what was written outside is read back, byte for byte, and stays outside until it is asked for', async () => {
  const path = join(folder, 'm.onnx');
  await writeModel(path, denseModel(), { thresholdBytes: 2 ** 20 });
  await using file = await ModelFile.open(path);
  const [, , weight] = graphOf(file.model).initializer;
  expect(weight?.rawData ?? []).toHaveLength(0);
  expect(file.externalBytes).toBe(2 ** 21 + 4096);
  expect(sha256(encodeModel(await file.load()))).toBe(sha256(encodeModel(denseModel())));
});

test('an opened model, edited, is written anew in either form, over itself too', async () => {
  const path = join(folder, 'm.onnx');
  await writeModel(path, denseModel(), { thresholdBytes: 2 ** 20 });
  await using file = await ModelFile.open(path);
  graphOf(file.model).docString = 'edited';
  await writeModel(path, file.model, { source: file, thresholdBytes: 2 ** 20 });
  await writeModel(join(folder, 'whole.onnx'), file.model, { source: file });
  await using again = await ModelFile.open(path);
  const whole = decodeModel(await readFile(join(folder, 'whole.onnx')));
  expect(graphOf(again.model).docString).toBe('edited');
  expect(sha256(encodeModel(await again.load()))).toBe(sha256(encodeModel(whole)));
  const [, , weight] = graphOf(whole).initializer;
  expect(sha256(weight?.rawData ?? [])).toBe(sha256(graphOf(denseModel()).initializer[2]?.rawData ?? []));
});

test('a tensor outside cannot be written without the file it was read from', async () => {
  const path = join(folder, 'm.onnx');
  await writeModel(path, denseModel(), { thresholdBytes: 2 ** 20 });
  const model = decodeModel(await readFile(path));
  const refusal = expect.objectContaining({ code: 'onnx-external-data' });
  await expect(writeModel(join(folder, 'other.onnx'), model)).rejects.toThrow(refusal);
  expect((await readdir(folder)).toSorted()).toEqual(['m.onnx', 'm.onnx.data']);
});

test('a data file that becomes shorter while it is read is told', async () => {
  const path = join(folder, 'm.onnx');
  await writeModel(path, denseModel(), { thresholdBytes: 2 ** 20 });
  await using file = await ModelFile.open(path);
  await truncate(`${path}.data`, 70_000);
  await expect(file.load()).rejects.toThrow(
    expect.objectContaining({
      code: 'onnx-external-data',
      message: expect.stringContaining('ends early') as string,
    }),
  );
});

test('a model over 2 GiB is written and read', async () => {
  const zeros = new Uint8Array(2 ** 26);
  const names = Array.from({ length: 32 }, (_, index) => `zeros${index}`);
  const last = floatTensor('last', [2 ** 18], noise(2 ** 18));
  const model = modelOf(
    [makeNode('Gather', ['last', 'x'], ['y'], 'gather')],
    [...names.map((name) => makeTensor(name, TensorProtoDataType.UINT8, [2 ** 26], zeros)), last],
    {},
    {},
  );
  graphOf(model).input = [makeValueInfo('x', { elemType: TensorProtoDataType.INT64, shape: [1] })];
  graphOf(model).output = [makeValueInfo('y')];
  const path = join(folder, 'large.onnx');
  await writeModel(path, model);
  expect((await stat(`${path}.data`)).size).toBe(2 ** 31 + 2 ** 20);
  await using file = await ModelFile.open(path);
  const read = graphOf(file.model).initializer.at(-1);
  expect(read && sha256(await file.bytes(read))).toBe(sha256(last.rawData ?? []));
  await expect(file.load()).rejects.toThrow(expect.objectContaining({ code: 'onnx-too-large' }));
  const session = await InferenceSession.create(path, { logSeverityLevel: 3 });
  await session.release();
});
