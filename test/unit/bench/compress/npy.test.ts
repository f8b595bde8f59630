import { expect, test } from 'vitest';
import { decodeNpy } from '#control-plane/compression/alone/npy.ts';
import { encodeNpy } from '#test/bench/compress/npy.ts';

test.each([
  ['a scalar', { dtype: 'INT64', shape: [], data: new Uint8Array(8).fill(3) }],
  ['a vector', { dtype: 'UINT8', shape: [5], data: Uint8Array.of(1, 2, 3, 4, 5) }],
  ['an image', { dtype: 'FP32', shape: [1, 1, 2, 3], data: new Uint8Array(24).fill(7) }],
] as const)('%s is read back as it was written', (_, tensor) => {
  const bytes = encodeNpy(tensor);
  expect((bytes.byteLength - tensor.data.byteLength) % 64).toBe(0);
  const read = decodeNpy(bytes, 'sample');
  expect({ ...read, data: [...read.data] }).toEqual({ ...tensor, data: [...tensor.data] });
});
