// Hostile JSON that is too long or not text enough for a line of the corpus, by name.

const input = (data: string): string =>
  `{"inputs": [{"name": "image", "datatype": "UINT8", "shape": [28, 28], "data": [${data}]}]}`;
const MIB = 1024 ** 2;

export const JSON_FILES: Readonly<Record<string, () => Uint8Array>> = {
  'not-utf8': () => Buffer.concat([Buffer.from('{"url": "'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]),
  utf16: () => Buffer.from('\ufeff{"url": "x"}', 'utf16le'),
  'arrays-nested': () => Buffer.from('['.repeat(100_000) + ']'.repeat(100_000)),
  'objects-nested': () =>
    Buffer.from(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`.slice(0, 255 * 1_024)),
  'values-many': () => Buffer.from(`{"url": [${'1,'.repeat(999_999)}1]}`),
  'text-of-megabytes': () => Buffer.from(`{"url": "${'x'.repeat(2 * MIB)}"}`),
  'arrays-many': () => Buffer.from(input(`${'[],'.repeat(7_000_000)}[]`)),
  'json-of-40-megabytes': () => Buffer.from(input(`${'1,'.repeat(20 * MIB)}1`)),
  'element-nested': () => Buffer.from(input(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`)),
  'element-of-megabytes': () => Buffer.from(input(`"${'x'.repeat(10 * MIB)}"`)),
};
