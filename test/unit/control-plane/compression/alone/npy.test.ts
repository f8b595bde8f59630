import { expect, test } from 'vitest';
import { decodeNpy } from '#control-plane/compression/alone/npy.ts';

/** A file as numpy.save writes it: the header padded so that the data begins at a multiple of 64. */
function npy(header: string, data: Uint8Array, version = 1): Uint8Array {
  const lengthBytes = version === 1 ? 2 : 4;
  const unpadded = 8 + lengthBytes + header.length + 1;
  const text = `${header}${' '.repeat((64 - (unpadded % 64)) % 64)}\n`;
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntLE(text.length, 0, lengthBytes);
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), version, 0]);
  return Buffer.concat([start, length, Buffer.from(text, 'latin1'), data]);
}

const dictionary = (descr: string, shape: string, fortran = 'False'): string =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
const bytesOf = (values: ArrayBufferView): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

test.each([1, 2, 3])('format version %d gives dtype, shape and values', (version) => {
  const values = Float32Array.of(1, -2, 3.5, 0, 5, 6);
  const tensor = decodeNpy(npy(dictionary('<f4', '(2, 3)'), bytesOf(values), version), 'x.npy');
  expect(tensor).toMatchObject({ dtype: 'FP32', shape: [2, 3] });
  expect(Buffer.from(tensor.data)).toEqual(Buffer.from(bytesOf(values)));
});

test.each([
  ['|b1', 'BOOL', 1],
  ['|u1', 'UINT8', 1],
  ['<i8', 'INT64', 8],
  ['<f2', 'FP16', 2],
])('%s is %s', (descr, dtype, widthBytes) => {
  const tensor = decodeNpy(npy(dictionary(descr, '(2,)'), new Uint8Array(2 * widthBytes)), 'x.npy');
  expect(tensor).toMatchObject({ dtype, shape: [2] });
});

test('a scalar has no dimensions', () => {
  const tensor = decodeNpy(npy(dictionary('<i4', '()'), bytesOf(Int32Array.of(7))), 'x.npy');
  expect(tensor.shape).toEqual([]);
  expect([...tensor.data]).toEqual([7, 0, 0, 0]);
});

test('column-major values come out row-major', () => {
  const columns = Int32Array.of(1, 4, 2, 5, 3, 6); // [[1, 2, 3], [4, 5, 6]]
  const tensor = decodeNpy(npy(dictionary('<i4', '(2, 3)', 'True'), bytesOf(columns)), 'x.npy');
  expect([...new Int32Array(Uint8Array.from(tensor.data).buffer)]).toEqual([1, 2, 3, 4, 5, 6]);
});

test.each([
  ['another file', Buffer.from('PK\u0003\u0004 a zip file')],
  ['nothing', new Uint8Array()],
  ['a header cut off', npy(dictionary('<f4', '(2,)'), new Uint8Array(8)).subarray(0, 30)],
  ['data cut off', npy(dictionary('<f4', '(2,)'), new Uint8Array(7))],
  ['a shape of terabytes', npy(dictionary('<f4', '(1000000, 1000000)'), new Uint8Array(8))],
  ['big-endian numbers', npy(dictionary('>f4', '(2,)'), new Uint8Array(8))],
  ['Python objects', npy(dictionary('|O', '(2,)'), new Uint8Array(16))],
  ['a record', npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", new Uint8Array(8))],
  ['33 dimensions', npy(dictionary('|u1', `(${'1, '.repeat(33)})`), new Uint8Array(1))],
])('%s is refused by name', (_, bytes) => {
  expect(() => decodeNpy(bytes, 'sample/x.npy')).toThrow(
    expect.objectContaining({ code: 'dataset-invalid', message: expect.stringContaining('sample/x.npy') }),
  );
});
