// Loads a decoded model into ONNX Runtime. Invariant: large weights go there as they lie in memory, beside the
// graph, instead of being written into one more copy of the whole file.

import { encodeModel, graphOf } from './onnx/codec.ts';
import { TensorProtoDataLocation, type ModelProto, type TensorProto } from './onnx/onnx-types.ts';
import { openSession, type OpenSession, type SessionOptions } from './ort-session.ts';

/** Smaller tensors stay in the graph, where shape inference can read them. */
const LARGE_BYTES = 64 * 1024;

/** Throws `model-load-failed`. */
export async function openModel(model: ModelProto, options: SessionOptions): Promise<OpenSession> {
  const graph = graphOf(model);
  const externalData: { path: string; data: Uint8Array }[] = [];
  const initializer = graph.initializer.map((tensor) => {
    const { rawData: data } = tensor;
    // Data that a tensor keeps in a typed field leaves an empty array here, which is no bytes.
    if (!(data instanceof Uint8Array) || data.byteLength < LARGE_BYTES) return tensor;
    const path = `weights-${externalData.length}`;
    externalData.push({ path, data });
    return outside(tensor, path, data.byteLength);
  });
  const light = { ...model, graph: { ...graph, initializer } };
  return await openSession(encodeModel(light), { ...options, externalData });
}

function outside(tensor: TensorProto, location: string, length: number): TensorProto {
  const { rawData: _, ...rest } = tensor;
  const entries = { location, offset: '0', length: String(length) };
  return {
    ...rest,
    dataLocation: TensorProtoDataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  };
}
