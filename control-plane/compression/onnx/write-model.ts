// Writes a model as one file, or over a threshold with its large tensors in one data file beside it. Invariants:
// tensors outside are aligned for memory mapping and pass through memory in chunks; a file appears whole or not at
// all, the data before the model that names it. Source: ONNX's docs/ExternalData.md.

import { basename } from 'node:path';
import { encodeModel } from './codec.ts';
import { dataBytes, externalError, isExternal } from './external-location.ts';
import { mapTensors } from './map-tensors.ts';
import { MAX_PROTO_BYTES, tooLarge, withData, type ModelFile } from './model-file.ts';
import { TensorProtoDataLocation, type ModelProto, type TensorProto } from './onnx-types.ts';
import { replaceFile, writeChunks } from './stream-file.ts';
import { allTensors } from './walk.ts';

export interface WriteOptions {
  /** The file that the model was read from, where tensors of it are still outside. */
  readonly source?: ModelFile;
  /** Raw data of all tensors together over which the large ones go outside; 1 GiB by default. */
  readonly thresholdBytes?: number;
}

const DEFAULT_THRESHOLD_BYTES = 2 ** 30;
/** Smaller tensors stay in the model, where runtimes look for shapes and scalars. */
const SMALLEST_OUTSIDE_BYTES = 1024;
/** Larger tensors begin where every system can map a file, the others where every element type may begin. */
const MAPPED_BYTES = 2 ** 20;
const MAP_ALIGNMENT = 2 ** 16;
const ALIGNMENT = 64;

/**
 * Writes `model` to `path` and, where it is large, its data to the same name with `.data` after it; files of these
 * names are replaced. Throws `onnx-too-large` where what stays in the model is more than one message can hold, and
 * `onnx-external-data` where the data of `source` is gone.
 */
export async function writeModel(path: string, model: ModelProto, options: WriteOptions = {}): Promise<void> {
  const { source, thresholdBytes = DEFAULT_THRESHOLD_BYTES } = options;
  const tensors = [...new Set(allTensors(model))];
  const total = tensors.reduce((sum, tensor) => sum + rawBytes(tensor), 0);
  const isOutside = (tensor: TensorProto) =>
    total > thresholdBytes && rawBytes(tensor) >= SMALLEST_OUTSIDE_BYTES;
  const outside = tensors.filter(isOutside);
  const inside = tensors.filter((tensor) => !isOutside(tensor));
  const insideBytes = inside.reduce((sum, tensor) => sum + rawBytes(tensor), 0);
  if (insideBytes > MAX_PROTO_BYTES) throw tooLarge('the tensors that stay in the model', insideBytes);
  const data = new Map<TensorProto, Uint8Array>();
  for (const tensor of inside.filter(isExternal))
    data.set(tensor, await openSource(tensor, source).bytes(tensor));
  const dataPath = `${path}.data`;
  const offsets = new Map<TensorProto, number>();
  if (outside.length > 0) {
    await replaceFile(dataPath, async (handle) => {
      let end = 0;
      for (const tensor of outside) {
        const offset = aligned(end, rawBytes(tensor));
        offsets.set(tensor, offset);
        end = await writeChunks(handle, offset, chunksOf(tensor, source));
      }
      return end;
    });
  }
  const written = mapTensors(model, (tensor) => {
    const offset = offsets.get(tensor);
    const rawData = data.get(tensor);
    if (offset !== undefined) return placed(tensor, basename(dataPath), offset);
    return rawData === undefined ? tensor : withData(tensor, rawData);
  });
  const bytes = encodeModel(written);
  if (bytes.byteLength > MAX_PROTO_BYTES) throw tooLarge('the graph and its own tensors', bytes.byteLength);
  await replaceFile(path, (handle) => writeChunks(handle, 0, [bytes]));
}

function chunksOf(
  tensor: TensorProto,
  source: ModelFile | undefined,
): AsyncIterable<Uint8Array> | Uint8Array[] {
  return isExternal(tensor)
    ? openSource(tensor, source).chunks(tensor)
    : [tensor.rawData ?? new Uint8Array(0)];
}

function openSource(tensor: TensorProto, source: ModelFile | undefined): ModelFile {
  if (source === undefined)
    throw externalError(tensor, 'is outside, and the file it was read from is not open');
  return source;
}

/** Bytes of raw data; what stands in typed fields, which only small tensors use, is not counted and stays there. */
function rawBytes(tensor: TensorProto): number {
  return isExternal(tensor) ? dataBytes(tensor) : (tensor.rawData?.byteLength ?? 0);
}

function aligned(at: number, length: number): number {
  const alignment = length >= MAPPED_BYTES ? MAP_ALIGNMENT : ALIGNMENT;
  return Math.ceil(at / alignment) * alignment;
}

function placed(tensor: TensorProto, location: string, offset: number): TensorProto {
  const { rawData: _, ...rest } = tensor;
  const entries = { location, offset: String(offset), length: String(rawBytes(tensor)) };
  return {
    ...rest,
    dataLocation: TensorProtoDataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  };
}
