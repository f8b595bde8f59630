// The real Fashion-MNIST images of Debian's package `dataset-fashion-mnist`, read from its packed IDX files.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { DigitImages } from '#test/demo/digits-data.ts';

const FOLDER = '/usr/share/datasets/fashion-mnist';
const SIDE = 28;
const IMAGE_HEADER_BYTES = 16;
const LABEL_HEADER_BYTES = 8;

export const FASHION_PACKAGE = 'apt-get install dataset-fashion-mnist';

/** Folder of the four packed files; undefined where the package is not installed. */
export function fashionFolder(): string | undefined {
  return existsSync(join(FOLDER, 'train-images-idx3-ubyte.gz')) ? FOLDER : undefined;
}

/** The 60,000 training images (`train`) or the 10,000 test images (`t10k`). Throws on another file. */
export async function fashionImages(folder: string, split: 'train' | 't10k'): Promise<DigitImages> {
  const count = split === 'train' ? 60_000 : 10_000;
  const images = await unpacked(
    join(folder, `${split}-images-idx3-ubyte.gz`),
    IMAGE_HEADER_BYTES,
    count * SIDE ** 2,
  );
  const labels = await unpacked(join(folder, `${split}-labels-idx1-ubyte.gz`), LABEL_HEADER_BYTES, count);
  return { images, labels, count, rows: SIDE, columns: SIDE };
}

async function unpacked(path: string, headerBytes: number, sizeBytes: number): Promise<Uint8Array> {
  const bytes = await promisify(gunzip)(await readFile(path), { maxOutputLength: headerBytes + sizeBytes });
  if (bytes.length !== headerBytes + sizeBytes) throw new RangeError(`${path} is not the Fashion-MNIST file`);
  return bytes.subarray(headerBytes);
}
