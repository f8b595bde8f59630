// Float constants in half precision: nearest value, halves to even; what is too large becomes the largest finite
// number, what is too small but not zero the smallest. Source: convert_np_to_float16 of onnxruntime.transformers,
// whose limits are those of the format (onnxconverter-common clips at 1e4 and 1e-7 for no reason of the format).

import { makeTensor } from '../onnx/messages.ts';
import { TensorProtoDataType, type TensorProto } from '../onnx/onnx-types.ts';
import { dimsOf, readFloats } from '../onnx/tensor-data.ts';

/** The largest finite number of half precision. */
export const LARGEST_HALF = 65_504;
/** The smallest positive one, subnormal. */
const SMALLEST_HALF = 2 ** -24;

/** A FLOAT tensor as FLOAT16. Throws `onnx-malformed`. */
export function halfTensor(tensor: TensorProto, name: string): TensorProto {
  const halves = Float16Array.from(readFloats(tensor), clamped);
  return makeTensor(name, TensorProtoDataType.FLOAT16, dimsOf(tensor), new Uint8Array(halves.buffer));
}

function clamped(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const size = Math.max(SMALLEST_HALF, Math.min(LARGEST_HALF, Math.abs(value)));
  return value < 0 ? -size : size;
}
