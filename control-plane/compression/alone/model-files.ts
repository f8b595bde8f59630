// Reads the model that a person names, its external data with it, and writes one. The file is the person's own, but
// it is inspected all the same before it is decoded, unless it has external data.

import { readFile } from 'node:fs/promises';
import { errorCodeOf, HoldfastError } from '#protocol/errors.ts';
import { decodeModel, encodeModel } from '../onnx/codec.ts';
import { inspectOnnx } from '../onnx/inspect.ts';
import { ModelFile } from '../onnx/model-file.ts';
import { writeModel } from '../onnx/write-model.ts';

/**
 * The model at `path` as one message. Throws `bad-config` for a file that is not there, else as `inspectOnnx` and
 * `ModelFile` do; `onnx-too-large` where model and data are over 2 GiB.
 */
export async function readModelFile(path: string): Promise<Uint8Array> {
  const bytes = await readBytes(path);
  try {
    inspectOnnx(bytes);
    return bytes;
  } catch (error) {
    if (errorCodeOf(error) !== 'onnx-external-data') throw error;
  }
  await using file = await ModelFile.open(path);
  return encodeModel(await file.load());
}

/** Writes a model that `encodeModel` made, over 1 GiB with its data beside it. Throws `bad-config`. */
export async function writeModelFile(path: string, weights: Uint8Array): Promise<void> {
  try {
    await writeModel(path, decodeModel(weights));
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    throw new HoldfastError('bad-config', `${path} cannot be written`, {
      hint: 'give a path in a folder that is there and may be written to',
      cause,
    });
  }
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new HoldfastError('bad-config', `${path} cannot be read`, {
      hint: 'give the path of an ONNX file',
      cause,
    });
  }
}
