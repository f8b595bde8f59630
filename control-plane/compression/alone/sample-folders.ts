// Calibration samples as people keep them: a folder a sample, in it one .npy file an input of the model. A slash in
// an input's name is written as `__`. Beside the folders `labels.npy` may give the right class of each sample.

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import type { FeedTensor, TensorFeed } from '../tensor-feed.ts';
import { decodeNpy } from './npy.ts';

export interface SampleFolders {
  /** Read from disk one at a time. */
  readonly feeds: AsyncIterable<TensorFeed>;
  readonly count: number;
  readonly labels: readonly number[] | null;
}

const LABELS_FILE = 'labels.npy';
const MAX_FILE_BYTES = 1024 ** 3;

/** The samples under `dir` in the order of their folders' names, numbers counted. Throws `dataset-invalid`. */
export async function openSampleFolders(dir: string, inputs: readonly string[]): Promise<SampleFolders> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((cause: unknown) => {
    throw new HoldfastError('dataset-invalid', `${dir} cannot be read as a folder`, {
      hint: 'give the folder that holds one folder a sample',
      cause,
    });
  });
  const folders = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted(new Intl.Collator('en', { numeric: true }).compare);
  if (folders.length === 0) {
    throw new HoldfastError('dataset-invalid', `${dir} holds no sample`, {
      hint: `make a folder a sample with ${inputs.map(fileOf).join(' and ')} in it`,
    });
  }
  const labels = entries.some(({ name }) => name === LABELS_FILE)
    ? await readLabels(join(dir, LABELS_FILE), folders.length)
    : null;
  return {
    count: folders.length,
    labels,
    feeds: {
      async *[Symbol.asyncIterator]() {
        for (const folder of folders) yield await readSample(join(dir, folder), inputs);
      },
    },
  };
}

const fileOf = (input: string): string => `${input.replaceAll('/', '__')}.npy`;

async function readSample(folder: string, inputs: readonly string[]): Promise<TensorFeed> {
  const tensors = await Promise.all(
    inputs.map(async (input) => [input, await readTensor(join(folder, fileOf(input)))] as const),
  );
  return Object.fromEntries(tensors);
}

async function readTensor(path: string): Promise<FeedTensor> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) {
      throw new HoldfastError('dataset-invalid', `${path} has ${size} bytes`, {
        hint: `one input of a sample may have up to ${MAX_FILE_BYTES} bytes`,
      });
    }
    return decodeNpy(await readFile(path), path);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    throw new HoldfastError('dataset-invalid', `${path} cannot be read`, {
      hint: 'a sample needs a .npy file for each input of the model, slashes in its name written as __',
      cause,
    });
  }
}

async function readLabels(path: string, count: number): Promise<number[]> {
  const { dtype, shape, data } = await readTensor(path);
  const values =
    dtype === 'INT64'
      ? Array.from(new BigInt64Array(Uint8Array.from(data).buffer), Number)
      : dtype === 'INT32'
        ? [...new Int32Array(Uint8Array.from(data).buffer)]
        : dtype === 'UINT8'
          ? [...data]
          : [];
  if (shape.length === 1 && values.length === count && values.every((label) => label >= 0)) return values;
  throw new HoldfastError('dataset-invalid', `${path} does not label the ${count} samples`, {
    hint: 'it holds one int64, int32 or uint8 class for each folder, in the order of their names, from 0',
  });
}
