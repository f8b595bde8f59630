// Reads NumPy's .npy files (format versions 1 to 3). Invariant: what the header declares is checked against the
// length of the file before anything is allocated. Source: numpy.lib.format, NEP 1.

import { HoldfastError } from '#protocol/errors.ts';
import type { TensorDtype } from '#protocol/model-contract.ts';
import type { FeedTensor } from '../tensor-feed.ts';

const MAGIC = '\u0093NUMPY';
const MAX_RANK = 32;

/** NumPy's type strings, without byte order, with the bytes of one value. */
const DTYPES: Readonly<Record<string, readonly [TensorDtype, number]>> = {
  b1: ['BOOL', 1], u1: ['UINT8', 1], i1: ['INT8', 1], u2: ['UINT16', 2], i2: ['INT16', 2], f2: ['FP16', 2],
  u4: ['UINT32', 4], i4: ['INT32', 4], f4: ['FP32', 4], u8: ['UINT64', 8], i8: ['INT64', 8], f8: ['FP64', 8],
}; // prettier-ignore

/** Decodes one array, row-major. `name` stands in the errors. Throws `dataset-invalid`. */
export function decodeNpy(bytes: Uint8Array, name: string): FeedTensor {
  const refuse = (what: string): HoldfastError =>
    new HoldfastError('dataset-invalid', `${name} ${what}`, {
      hint: 'write it with numpy.save from an array of numbers',
    });
  if (Buffer.from(bytes.subarray(0, 6)).toString('latin1') !== MAGIC) throw refuse('is no .npy file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isFirstVersion = bytes[6] === 1;
  const headerAt = isFirstVersion ? 10 : 12;
  if (bytes.byteLength < headerAt) throw refuse('is cut off in its header');
  const dataAt = headerAt + (isFirstVersion ? view.getUint16(8, true) : view.getUint32(8, true));
  if (bytes.byteLength < dataAt) throw refuse('is cut off in its header');
  const header = Buffer.from(bytes.subarray(headerAt, dataAt)).toString('latin1');
  const [, order = '', type = ''] = /'descr':\s*'([<>|=])([a-z]\d+)'/.exec(header) ?? [];
  const [, fortran] = /'fortran_order':\s*(True|False)/.exec(header) ?? [];
  const [, dims] = /'shape':\s*\(([\d,\sL]*)\)/.exec(header) ?? [];
  const known = DTYPES[type];
  if (known === undefined || dims === undefined) throw refuse('holds no array of numbers');
  if (order === '>') throw refuse('is big-endian');
  const shape = [...dims.matchAll(/\d+/g)].map(([digits]) => Number(digits));
  const [dtype, widthBytes] = known;
  const neededBytes = shape.reduce((product, dim) => product * dim, widthBytes);
  const data = bytes.subarray(dataAt);
  if (shape.length > MAX_RANK || data.byteLength !== neededBytes)
    throw refuse(`has ${data.byteLength} bytes of data where its shape (${dims}) needs ${neededBytes}`);
  return { dtype, shape, data: fortran === 'True' ? rowMajor(data, shape, widthBytes) : data };
}

/** Column-major values in row-major order. */
function rowMajor(data: Uint8Array, shape: readonly number[], widthBytes: number): Uint8Array {
  const sorted = new Uint8Array(data.byteLength);
  const position = shape.map(() => 0);
  for (let at = 0; at < data.byteLength; at += widthBytes) {
    let index = 0;
    shape.forEach((dim, axis) => (index = index * dim + (position[axis] as number)));
    sorted.set(data.subarray(at, at + widthBytes), index * widthBytes);
    for (let axis = 0; axis < shape.length; axis++) {
      position[axis] = (position[axis] as number) + 1;
      if ((position[axis] as number) < (shape[axis] as number)) break;
      position[axis] = 0;
    }
  }
  return sorted;
}
