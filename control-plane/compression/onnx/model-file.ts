// A model on disk with its external data. Invariants: the tensors outside stay ranges of open files until someone
// reads them, so that a model of any size takes the memory of its graph; every range was checked when it was opened.

import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError } from '#protocol/errors.ts';
import { decodeModel } from './codec.ts';
import { DataFile, DataFileRefusal } from './data-file.ts';
import {
  dataBytes,
  externalError,
  externalRange,
  isExternal,
  type ExternalRange,
} from './external-location.ts';
import { mapTensors } from './map-tensors.ts';
import type { ModelProto, TensorProto } from './onnx-types.ts';
import { allTensors } from './walk.ts';

/** Protobuf messages are shorter than 2 GiB. */
export const MAX_PROTO_BYTES = 2 ** 31 - 1;
/** Different data files of one model; a file a tensor is not unheard of. */
const MAX_FILES = 10_000;

interface Located extends ExternalRange {
  readonly file: DataFile;
}

export class ModelFile implements AsyncDisposable {
  /** Tensors outside have no data here, but their entries. */
  readonly model: ModelProto;
  readonly #located: ReadonlyMap<TensorProto, Located>;
  readonly #files: AsyncDisposableStack;

  private constructor(
    model: ModelProto,
    located: ReadonlyMap<TensorProto, Located>,
    files: AsyncDisposableStack,
  ) {
    this.model = model;
    this.#located = located;
    this.#files = files;
  }

  /** Opens the model at `path` and its data files. Throws `onnx-malformed`, `onnx-too-large` or `onnx-external-data`. */
  static async open(path: string): Promise<ModelFile> {
    const model = decodeModel(await readProto(path));
    await using files = new AsyncDisposableStack();
    const opened = new Map<string, DataFile>();
    const located = new Map<TensorProto, Located>();
    for (const tensor of allTensors(model)) {
      if (!isExternal(tensor)) continue;
      const range = externalRange(tensor);
      const file =
        opened.get(range.location) ??
        files.use(await refusedFor(tensor, () => openFile(dirname(path), range.location, opened)));
      if (range.offset + range.length > file.sizeBytes) {
        const { location, offset, length } = range;
        throw externalError(
          tensor,
          `is at ${offset} to ${offset + length} of "${location}", which has ${file.sizeBytes} bytes`,
        );
      }
      located.set(tensor, { ...range, file });
    }
    return new ModelFile(model, located, files.move());
  }

  /** Bytes of data that are to be read from outside, all tensors together. */
  get externalBytes(): number {
    return [...this.#located.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** The data of a tensor that is outside, in chunks that share their memory. Throws `onnx-external-data`. */
  async *chunks(tensor: TensorProto): AsyncGenerator<Uint8Array, void, undefined> {
    const range = this.#located.get(tensor);
    if (range === undefined) throw externalError(tensor, 'was not opened with the model');
    try {
      yield* range.file.chunks(range.offset, range.length);
    } catch (error) {
      throw error instanceof DataFileRefusal ? externalError(tensor, error.message, error) : error;
    }
  }

  /** The data of a tensor that is outside. Throws `onnx-external-data`. */
  async bytes(tensor: TensorProto): Promise<Uint8Array> {
    const bytes = new Uint8Array(dataBytes(tensor));
    let at = 0;
    for await (const chunk of this.chunks(tensor)) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return bytes;
  }

  /** A copy of the model with all data in memory. Throws `onnx-too-large` for more than one message can hold. */
  async load(): Promise<ModelProto> {
    if (this.externalBytes > MAX_PROTO_BYTES) throw tooLarge('the model and its data', this.externalBytes);
    const data = new Map<TensorProto, Uint8Array>();
    for (const tensor of this.#located.keys()) data.set(tensor, await this.bytes(tensor));
    return mapTensors(this.model, (tensor) => {
      const rawData = data.get(tensor);
      return rawData === undefined ? tensor : withData(tensor, rawData);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files.disposeAsync();
  }
}

/** A copy of a tensor with its data in it. */
export function withData(tensor: TensorProto, rawData: Uint8Array): TensorProto {
  const { dataLocation: _, ...rest } = tensor;
  return { ...rest, rawData, externalData: [] };
}

export function tooLarge(what: string, sizeBytes: number): HoldfastError {
  return new HoldfastError('onnx-too-large', `${what} take ${sizeBytes} bytes in one message`, {
    hint: `a protobuf message has up to ${MAX_PROTO_BYTES} bytes; keep large tensors as external data`,
  });
}

async function readProto(path: string): Promise<Uint8Array> {
  await using handle = await open(path);
  const { size } = await handle.stat();
  if (size > MAX_PROTO_BYTES) throw tooLarge('the graph and its own tensors', size);
  return await handle.readFile();
}

async function openFile(folder: string, location: string, opened: Map<string, DataFile>): Promise<DataFile> {
  if (opened.size === MAX_FILES) throw new DataFileRefusal(`is in one of more than ${MAX_FILES} files`);
  const file = await DataFile.open(folder, location);
  opened.set(location, file);
  return file;
}

async function refusedFor<T>(tensor: TensorProto, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    throw error instanceof DataFileRefusal ? externalError(tensor, error.message, error) : error;
  }
}
