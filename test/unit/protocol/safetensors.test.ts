import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '#protocol/errors.ts';
import { decodeSafetensors, encodeSafetensors, float32Of, type SafeTensor } from '#protocol/safetensors.ts';

const ELEMENT_BYTES = { BOOL: 1, U8: 1, I8: 1, F16: 2, I32: 4, F32: 4, I64: 8, F64: 8 } as const;

const tensor: fc.Arbitrary<SafeTensor> = fc
  .record({
    dtype: fc.constantFrom(...(Object.keys(ELEMENT_BYTES) as (keyof typeof ELEMENT_BYTES)[])),
    shape: fc.array(fc.nat(4), { maxLength: 4 }),
  })
  .chain(({ dtype, shape }) => {
    const length = shape.reduce((product, dimension) => product * dimension, ELEMENT_BYTES[dtype]);
    return fc.uint8Array({ minLength: length, maxLength: length }).map((data) => ({ dtype, shape, data }));
  });
const name = fc.string({ maxLength: 12 }).filter((text) => text !== '__metadata__');
const tensors = fc.dictionary(name, tensor, { maxKeys: 6 });

const sample = encodeSafetensors(
  {
    'input.0': { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) },
    'output.0.logits': {
      dtype: 'F32',
      shape: [1, 2],
      data: new Uint8Array(new Float32Array([0.5, -1]).buffer),
    },
  },
  { made: 'by a test' },
);

/** A file with this header and `bodyBytes` bytes of tensors. */
function file(header: unknown, bodyBytes: number, headerText = JSON.stringify(header)): Uint8Array {
  const raw = new TextEncoder().encode(headerText);
  const out = new Uint8Array(8 + raw.length + bodyBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(raw.length), true);
  out.set(raw, 8);
  return out;
}

function expectRefused(bytes: Uint8Array): void {
  let error: unknown;
  try {
    decodeSafetensors(bytes);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(HoldfastError);
  expect((error as HoldfastError).code).toBe('safetensors-malformed');
}

describe('safetensors', () => {
  test('come out as they went in', () => {
    fc.assert(
      fc.property(tensors, (made) => {
        const decoded = decodeSafetensors(encodeSafetensors(made));
        expect(decoded.size).toBe(Object.keys(made).length);
        for (const [key, { dtype, shape, data }] of Object.entries(made)) {
          expect(decoded.get(key)).toEqual({ dtype, shape, data });
        }
      }),
    );
  });

  test('also from a view into a larger buffer, such as a Node Buffer of its pool', () => {
    const pooled = Buffer.concat([Buffer.alloc(3), sample]).subarray(3);
    const logits = decodeSafetensors(pooled).get('output.0.logits');
    if (logits === undefined) throw new Error('no logits');
    expect(float32Of(logits)).toEqual(new Float32Array([0.5, -1]));
  });

  test('begin their tensors at a multiple of 8', () => {
    fc.assert(
      fc.property(tensors, (made) => {
        const bytes = encodeSafetensors(made);
        const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
        expect((8 + headerBytes) % 8).toBe(0);
      }),
    );
  });

  test('cut off at any byte, or with a byte too many, are refused', () => {
    for (let length = 0; length < sample.length; length++) expectRefused(sample.subarray(0, length));
    expectRefused(Buffer.concat([sample, Buffer.of(0)]));
    expect(decodeSafetensors(sample).size).toBe(2);
  });

  test('with any byte changed are refused or read without harm', () => {
    fc.assert(
      fc.property(fc.nat(sample.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Uint8Array.from(sample);
        changed[at] = (changed[at] ?? 0) ^ flip;
        try {
          decodeSafetensors(changed);
        } catch (error) {
          expect((error as HoldfastError).code).toBe('safetensors-malformed');
        }
      }),
      { numRuns: 1_000 },
    );
  });

  const one = (entry: object) => ({ a: { dtype: 'U8', shape: [4], data_offsets: [0, 4], ...entry } });
  test.each<[string, unknown, number]>([
    ['a header that is a list', [], 0],
    ['a header that is null', null, 0],
    ['an entry that is null', { a: null }, 0],
    ['an unknown dtype', one({ dtype: 'F128' }), 4],
    ['a dtype from the prototype', one({ dtype: 'toString' }), 4],
    ['a negative dimension', one({ shape: [-4] }), 4],
    ['a fractional dimension', one({ shape: [4.5] }), 4],
    ['a dimension as text', one({ shape: ['4'] }), 4],
    ['a shape of too many dimensions', one({ shape: Array.from({ length: 17 }, () => 1) }), 4],
    ['a shape whose product overflows', one({ shape: [2 ** 40, 2 ** 40] }), 4],
    ['offsets that do not fit the shape', one({ shape: [3] }), 4],
    ['offsets beyond the file', one({ shape: [8], data_offsets: [0, 8] }), 4],
    ['offsets far beyond the file', one({ shape: [2 ** 50], data_offsets: [0, 2 ** 50] }), 4],
    ['offsets backwards', one({ shape: [0], data_offsets: [4, 0] }), 4],
    ['negative offsets', one({ data_offsets: [-4, 0] }), 4],
    ['fractional offsets', one({ data_offsets: [0.5, 4.5] }), 5],
    ['offsets as text', one({ data_offsets: ['x', 'y'] }), 4],
    ['no offsets', { a: { dtype: 'U8', shape: [0] } }, 0],
    ['a hole before the first tensor', one({ data_offsets: [4, 8] }), 8],
    ['a hole between tensors', { ...one({}), b: { dtype: 'U8', shape: [1], data_offsets: [5, 6] } }, 6],
    ['overlapping tensors', { ...one({}), b: { dtype: 'U8', shape: [2], data_offsets: [3, 5] } }, 5],
    [
      'two tensors on the same bytes',
      { ...one({}), b: { dtype: 'U8', shape: [4], data_offsets: [0, 4] } },
      4,
    ],
    ['bytes after the last tensor', one({}), 5],
  ])('with %s are refused', (_what, header, bodyBytes) => {
    expectRefused(file(header, bodyBytes));
  });

  test('with a header that is no JSON, no UTF-8 or far too long are refused without allocating it', () => {
    expectRefused(file(null, 0, '{"a":'));
    const noUtf8 = file({}, 0);
    noUtf8[8] = 0xff;
    expectRefused(noUtf8);
    for (const declared of [2n ** 64n - 1n, 2n ** 53n, 100_000_001n]) {
      const huge = new Uint8Array(64);
      new DataView(huge.buffer).setBigUint64(0, declared, true);
      expectRefused(huge);
    }
  });

  test('with more tensors than allowed are refused', () => {
    const bytes = encodeSafetensors({
      a: { dtype: 'U8', shape: [0], data: new Uint8Array() },
      b: { dtype: 'U8', shape: [0], data: new Uint8Array() },
    });
    expect(() => decodeSafetensors(bytes, { maxHeaderBytes: 1_000, maxTensors: 1 })).toThrow(
      /more than 1 tensors/,
    );
    expect(() => decodeSafetensors(bytes, { maxHeaderBytes: 10, maxTensors: 9 })).toThrow(/over the limit/);
  });

  test('are not written when data and shape disagree, or a name is taken by the format', () => {
    const data = new Uint8Array(3);
    expect(() => encodeSafetensors({ a: { dtype: 'F32', shape: [1], data } })).toThrow(HoldfastError);
    expect(() => encodeSafetensors({ __metadata__: { dtype: 'U8', shape: [3], data } })).toThrow(
      HoldfastError,
    );
  });

  test('of another dtype are not read as F32', () => {
    expect(() => float32Of({ dtype: 'I32', shape: [1], data: new Uint8Array(4) })).toThrow(HoldfastError);
  });
});
