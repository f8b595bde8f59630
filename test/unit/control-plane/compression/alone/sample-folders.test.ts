import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSampleFolders } from '#control-plane/compression/alone/sample-folders.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sample-folders-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function save(path: string, descr: string, shape: string, data: Uint8Array): void {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117);
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, 118, 0]);
  writeFileSync(path, Buffer.concat([start, Buffer.from(`${header}\n`), data]));
}

function sample(folder: string, file: string, value: number): void {
  mkdirSync(join(dir, folder), { recursive: true });
  save(join(dir, folder, file), '|u1', '(1,)', Uint8Array.of(value));
}

test('samples come in the order of their numbers, inputs by their names with slashes', async () => {
  for (const folder of ['10', '9', '1']) sample(folder, 'net__in.npy', Number(folder));
  const { feeds, count, labels } = await openSampleFolders(dir, ['net/in']);
  const values: number[] = [];
  for await (const feed of feeds) values.push(...(feed['net/in']?.data ?? []));
  expect({ values, count, labels }).toEqual({ values: [1, 9, 10], count: 3, labels: null });
});

test('labels stand beside the folders, one for each', async () => {
  for (const folder of ['0', '1']) sample(folder, 'x.npy', 0);
  const classes = BigInt64Array.of(7n, 3n);
  save(join(dir, 'labels.npy'), '<i8', '(2,)', new Uint8Array(classes.buffer));
  expect((await openSampleFolders(dir, ['x'])).labels).toEqual([7, 3]);
  save(join(dir, 'labels.npy'), '<i8', '(1,)', new Uint8Array(classes.buffer, 0, 8));
  await expect(openSampleFolders(dir, ['x'])).rejects.toMatchObject({ code: 'dataset-invalid' });
});

test('a folder without samples, or a sample without an input, says what is missing', async () => {
  await expect(openSampleFolders(dir, ['x'])).rejects.toMatchObject({
    hint: expect.stringContaining('x.npy') as string,
  });
  sample('0', 'y.npy', 0);
  const { feeds } = await openSampleFolders(dir, ['x']);
  const first = feeds[Symbol.asyncIterator]().next();
  await expect(first).rejects.toMatchObject({ code: 'dataset-invalid' });
});
