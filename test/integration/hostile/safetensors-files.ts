// Hostile safetensors files by name: how each is made. Source: the format description of the safetensors project.

function container(header: string | Uint8Array, data = new Uint8Array(0), declared?: bigint): Uint8Array {
  const bytes = Buffer.from(header as string);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(declared ?? BigInt(bytes.byteLength));
  return Buffer.concat([length, bytes, data]);
}

/** One tensor of four bytes, with these numbers written as they stand. */
const one = (shape: string, offsets: string, dtype = 'U8'): Uint8Array =>
  container(
    `{"input.0": {"dtype": "${dtype}", "shape": ${shape}, "data_offsets": ${offsets}}}`,
    new Uint8Array(4),
  );

const tensor = (name: string, begin: number, end: number): string =>
  `"${name}": {"dtype": "U8", "shape": [${end - begin}], "data_offsets": [${begin}, ${end}]}`;

export const SAFETENSORS_FILES: Readonly<Record<string, () => Uint8Array>> = {
  empty: () => new Uint8Array(0),
  'seven-bytes': () => new Uint8Array(7),
  'header-of-2-to-63': () => container('{}', undefined, 2n ** 63n),
  'header-of-100-mb': () => container('{}', undefined, 100_000_000n),
  'header-past-the-end': () => container('{}', undefined, 1_000n),
  'header-no-json': () => container('{"input.0": '),
  'header-not-utf8': () => container(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)),
  'header-is-a-list': () => container('[1, 2]'),
  'header-nested': () => container(`{"input.0": ${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}`),
  'tensors-without-number': () =>
    container(`{${Array.from({ length: 250_000 }, (_, n) => tensor(String(n), 0, 0)).join(',')}}`),
  'prototype-key': () => container(`{${tensor('__proto__', 0, 4)}}`, new Uint8Array(4)),
  'offsets-overlap': () => container(`{${tensor('a', 0, 4)}, ${tensor('b', 0, 4)}}`, new Uint8Array(4)),
  'offsets-with-hole': () => container(`{${tensor('a', 0, 1)}, ${tensor('b', 3, 4)}}`, new Uint8Array(4)),
  'offsets-reversed': () => one('[4]', '[4, 0]'),
  'offsets-negative': () => one('[8]', '[-4, 4]'),
  'offsets-past-the-end': () => one('[400]', '[0, 400]'),
  'offsets-fractional': () => one('[4]', '[0, 3.5]'),
  'offsets-of-1e400': () => one('[4]', '[0, 1e400]'),
  'shape-terabyte': () => one('[1048576, 1048576]', '[0, 4]'),
  'shape-overflow': () => one('[9007199254740991, 9007199254740991]', '[0, 4]'),
  'shape-negative': () => one('[-2, -2]', '[0, 4]'),
  'shape-of-100-000': () => one(`[${'1,'.repeat(99_999)}4]`, '[0, 4]'),
  'dtype-unknown': () => one('[4]', '[0, 4]', 'toString'),
  'bytes-left-over': () => container(`{${tensor('input.0', 0, 2)}}`, new Uint8Array(4)),
};
