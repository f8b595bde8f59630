// Reads the model that a person names, its external data with it, and writes one. The file is the person's own, but
// often somebody else's work: it is inspected before it is decoded, and its data files are confined to its folder.

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { HoldfastError } from '#protocol/errors.ts';
import { decodeModel, encodeModel } from '../onnx/codec.ts';
import { inspectOnnx } from '../onnx/inspect.ts';
import { DEFAULT_ONNX_LIMITS } from '../onnx/limits.ts';
import { ModelFile } from '../onnx/model-file.ts';
import { writeModel } from '../onnx/write-model.ts';

/**
 * The model at `path` as one message. Throws `bad-config` for a file that is not there, else as `inspectOnnx` and
 * `ModelFile` do; `onnx-too-large` where model and data are over 2 GiB.
 */
export async function readModelFile(path: string): Promise<Uint8Array> {
  const bytes = await readBytes(path);
  const { usesExternalData } = inspectOnnx(bytes, { ...DEFAULT_ONNX_LIMITS, allowsExternalData: true });
  if (!usesExternalData) return bytes;
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
    // A pipe is opened without waiting for who writes to it.
    await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!(await handle.stat()).isFile()) throw new Error('it is no plain file');
    return await handle.readFile();
  } catch (cause) {
    throw new HoldfastError('bad-config', `${path} cannot be read`, {
      hint: 'give the path of an ONNX file, which is under 2 GiB and keeps larger tensors as external data',
      cause,
    });
  }
}
