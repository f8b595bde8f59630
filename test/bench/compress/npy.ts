// Writes NumPy's .npy files, version 1.0, row-major and little-endian, as `holdfast compress run` and Python read
// them. Source: numpy.lib.format.

import type { TensorDtype } from '#protocol/model-contract.ts';
import type { FeedTensor } from '#control-plane/compression/tensor-feed.ts';

const DESCRIPTIONS: Readonly<Record<TensorDtype, string>> = {
  BOOL: '|b1', UINT8: '|u1', INT8: '|i1', UINT16: '<u2', INT16: '<i2', UINT32: '<u4', INT32: '<i4',
  UINT64: '<u8', INT64: '<i8', FP16: '<f2', FP32: '<f4', FP64: '<f8',
}; // prettier-ignore
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];
/** Data begins at a multiple of this. */
const ALIGNMENT = 64;

export function encodeNpy({ dtype, shape, data }: FeedTensor): Uint8Array {
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const header = `{'descr': '${DESCRIPTIONS[dtype]}', 'fortran_order': False, 'shape': (${dims}), }`;
  const startBytes = MAGIC.length + 2;
  const headerBytes = ALIGNMENT * Math.ceil((startBytes + header.length + 1) / ALIGNMENT) - startBytes;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(headerBytes);
  return Buffer.concat([
    Buffer.from(MAGIC),
    length,
    Buffer.from(`${header.padEnd(headerBytes - 1)}\n`, 'latin1'),
    data,
  ]);
}
