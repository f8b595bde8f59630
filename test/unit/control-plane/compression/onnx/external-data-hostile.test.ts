import { execFileSync } from 'node:child_process';
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeNode, makeTensor } from '#control-plane/compression/onnx/messages.ts';
import { ModelFile } from '#control-plane/compression/onnx/model-file.ts';
import { TensorProtoDataType as T } from '#control-plane/compression/onnx/onnx-types.ts';
import { modelOf } from '../small-models.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
  await mkdir(join(folder, 'model'));
  for (const name of ['secret', 'model/data']) await writeFile(join(folder, name), new Uint8Array(64));
});
afterEach(() => rm(folder, { recursive: true }));

interface Said {
  readonly entries: Readonly<Record<string, string>>;
  readonly dims?: readonly number[];
  readonly dataType?: number;
}

/** Opens a model with one tensor, of four float32 unless said otherwise, outside. */
async function openWith({ entries, dims = [4], dataType = T.FLOAT }: Said): Promise<ModelFile> {
  const model = modelOf([makeNode('Identity', ['w'], ['y'], 'i')], [], {}, { y: [4] });
  const tensor = makeTensor('w', dataType, dims, new Uint8Array(0));
  delete tensor.rawData;
  tensor.dataLocation = 1;
  tensor.externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  graphOf(model).initializer.push(tensor);
  const path = join(folder, 'model', 'm.onnx');
  await writeFile(path, encodeModel(model));
  return await ModelFile.open(path);
}

const refusal = (message: RegExp): unknown =>
  expect.objectContaining({
    code: 'onnx-external-data',
    message: expect.stringMatching(message) as string,
    hint: expect.stringContaining('beside the model') as string,
  });

test.each([
  '../secret', 'parts/../../secret', '..', '', '.', '/etc/passwd', 'data/', 'a//b', 'C:/data', '..\\secret',
  'data\0', 'x'.repeat(5000),
])('the location %j is refused', async (location) => {
  await expect(openWith({ entries: { location } })).rejects.toThrow(refusal(/"w" is said to be at/));
}); // prettier-ignore

test('no location at all is refused', async () => {
  await expect(openWith({ entries: {} })).rejects.toThrow(refusal(/said to be at ""/));
});

test.each([
  ['a symbolic link', async () => symlink(join(folder, 'secret'), join(folder, 'model', 'link')), 'link'],
  ['a link to a file of the folder', async () => symlink('data', join(folder, 'model', 'link')), 'link'],
  ['a hard link', async () => link(join(folder, 'secret'), join(folder, 'model', 'link')), 'link'],
  ['a folder that is a link', async () => symlink(folder, join(folder, 'model', 'up')), 'up/secret'],
  ['a folder', async () => mkdir(join(folder, 'model', 'parts')), 'parts'],
  [
    'a pipe nobody writes to',
    async () => void execFileSync('sh', ['-c', 'mkfifo "$0"', join(folder, 'model', 'pipe')]),
    'pipe',
  ],
  ['nothing', async () => undefined, 'missing'],
])('%s is refused as a data file', async (_, make, location) => {
  await make();
  await expect(openWith({ entries: { location } })).rejects.toThrow(
    refusal(/link|plain file|not to be read/),
  );
});

test.each([
  ['an offset past the end', { offset: '64' }, /64 to 80 of "data", which has 64 bytes/],
  ['a range that runs past the end', { offset: '49', length: '16' }, /49 to 65/],
  ['a length that the shape does not need', { length: '20' }, /20 bytes, its type and shape need 16/],
  ['a negative offset', { offset: '-1' }, /offset "-1"/],
  ['a negative length', { length: '-16' }, /length "-16"/],
  ['an offset that is no number', { offset: '0x10' }, /offset "0x10"/],
  ['an offset that is no safe number', { offset: '9007199254740993' }, /offset/],
  ['an offset of many digits', { offset: '9'.repeat(400) }, /offset/],
  ['an empty length', { length: '' }, /length ""/],
])('%s is refused', async (_, entries, message) => {
  await expect(openWith({ entries: { location: 'data', ...entries } })).rejects.toThrow(refusal(message));
});

test.each([
  ['a shape of terabytes', { dims: [2 ** 40] }, /to \d+ of "data"/],
  ['a shape that overflows', { dims: [2 ** 40, 2 ** 40] }, /no data can fill/],
  ['a negative dimension', { dims: [-4, -1] }, /no data can fill/],
  ['texts', { dataType: T.STRING }, /cannot lie outside/],
  ['an unknown type', { dataType: 99 }, /cannot lie outside/],
])('%s outside is refused', async (_, said, message) => {
  await expect(openWith({ entries: { location: 'data' }, ...said })).rejects.toThrow(refusal(message));
});

test('ranges of one file may overlap, and 4-bit data is counted by halves of bytes', async () => {
  await using file = await openWith({
    entries: { location: 'data', offset: '60', length: '4' },
    dims: [7],
    dataType: T.INT4,
  });
  const [tensor] = graphOf(file.model).initializer;
  expect(tensor && (await file.bytes(tensor))).toEqual(new Uint8Array(4));
});
