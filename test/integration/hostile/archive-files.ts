// Hostile bundles by name: how each is made from a sound one. The package `tar` writes the sound members; what no
// writer would write is set in the headers by hand. Source: POSIX.1-2017, pax, "ustar Interchange Format".

import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { hostilePath } from './corpus.ts';

const BLOCK_BYTES = 512;
const END = Buffer.alloc(2 * BLOCK_BYTES);
const DIGITS = new URL('../../models/digits/v1/', hostilePath('archives', ''));

interface Header {
  readonly name: string;
  readonly sizeBytes: number;
  /** `0` a file, `1` a hard link, `2` a symbolic link, `3` and `4` devices, `5` a folder, `6` a pipe, `x` and `g` pax. */
  readonly type?: string;
  readonly link?: string;
  readonly prefix?: string;
  /** In place of the size in octal digits. */
  readonly rawSize?: Uint8Array;
  readonly isChecksumWrong?: boolean;
}

function header({
  name,
  sizeBytes,
  type = '0',
  link = '',
  prefix = '',
  rawSize,
  isChecksumWrong,
}: Header): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(name, 0, 100, 'latin1');
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  if (rawSize === undefined) block.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124);
  else block.set(rawSize, 124);
  block.write('00000000000\0', 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write(link, 157, 100, 'latin1');
  block.write('ustar\x0000', 257);
  block.write(prefix, 345, 155, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, isChecksumWrong === true ? 1 : 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((BLOCK_BYTES - (bytes.byteLength % BLOCK_BYTES)) % BLOCK_BYTES)]);
}

function member(name: string, bytes: Uint8Array | string, more: Partial<Header> = {}): Buffer {
  const content = Buffer.from(bytes as string);
  return Buffer.concat([header({ name, sizeBytes: content.byteLength, ...more }), padded(content)]);
}

/** A pax record: its own length, key and value. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (length !== String(length).length + rest.length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

const file = (name: string): Uint8Array => readFileSync(new URL(name, DIGITS));
const contract = (): Buffer => member('contract.json', file('contract.json'));
const weights = (): Buffer => member('weights.onnx', file('weights.onnx'));
const golden = (): Buffer => member('golden.safetensors', file('golden.safetensors'));
const archive = (...members: Uint8Array[]): Buffer => Buffer.concat([...members, END]);

/** The digit reader as a bundle, with more members before it. */
export const soundBundle = (...before: Uint8Array[]): Buffer =>
  archive(...before, contract(), weights(), golden());

const link = (type: string, target: string): Buffer =>
  archive(contract(), golden(), header({ name: 'weights.onnx', sizeBytes: 0, type, link: target }));

const BASE_256 = (last: number[]): Uint8Array =>
  Uint8Array.of(0x80, ...Array<number>(11 - last.length).fill(0), ...last);

export const ARCHIVE_FILES: Readonly<Record<string, () => Uint8Array>> = {
  'parent-folder': () => soundBundle(member('../escaped', 'x')),
  'parent-folder-within': () => soundBundle(member('models/../../escaped', 'x')),
  'absolute': () => soundBundle(member('/etc/cron.d/escaped', 'x')),
  'absolute-windows': () => soundBundle(member('C:\\escaped', 'x')),
  'backslashes': () => soundBundle(member('..\\escaped', 'x')),
  'prefix-escapes': () => archive(contract(), golden(), member('weights.onnx', file('weights.onnx'), { prefix: '..' })),
  'dot-slash': () => archive(contract(), golden(), member('./weights.onnx', file('weights.onnx'))),
  'capitals': () => archive(contract(), golden(), member('WEIGHTS.ONNX', file('weights.onnx'))),
  'zero-in-name': () => archive(contract(), golden(), member('weights.onnx\0.txt', file('weights.onnx')), weights()),
  'unknown-member': () => soundBundle(member('install.sh', 'rm -rf /')),
  'member-twice': () => soundBundle(weights()),
  'symbolic-link': () => link('2', '/etc/passwd'),
  'hard-link': () => link('1', 'contract.json'),
  'character-device': () => link('3', ''),
  'block-device': () => link('4', ''),
  'folder': () => link('5', ''),
  'pipe': () => link('6', ''),
  'unknown-type': () => link('Z', ''),
  'sparse-old': () => link('S', ''),
  'sparse-pax': () => soundBundle(member('pax', record('GNU.sparse.major', '1') + record('GNU.sparse.name', '../escaped'), { type: 'x' }), member('GNUSparseFile.0/weights.onnx', 'x')),
  'pax-path': () => soundBundle(member('pax', record('path', '../escaped'), { type: 'x' })),
  'pax-path-allowed': () => archive(contract(), golden(), member('pax', record('path', 'weights.onnx'), { type: 'x' }), member('harmless.txt', file('weights.onnx'))),
  'pax-size': () => soundBundle(member('pax', record('size', '0'), { type: 'x' })),
  'pax-size-huge': () => soundBundle(member('pax', record('size', String(2 ** 52)), { type: 'x' })),
  'pax-size-for-all': () => soundBundle(member('pax', record('size', '1'), { type: 'g' })),
  'pax-link': () => soundBundle(member('pax', record('linkpath', '/etc/passwd'), { type: 'x' })),
  'pax-of-megabytes': () => soundBundle(member('pax', record('comment', 'x'.repeat(4_000_000)), { type: 'x' })),
  'long-name': () => soundBundle(member('long', `../${'x'.repeat(5_000)}`, { type: 'L' })),
  'size-base-256-huge': () => archive(contract(), golden(), header({ name: 'weights.onnx', sizeBytes: 0, rawSize: BASE_256([0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]) })),
  'size-negative': () => archive(contract(), golden(), header({ name: 'weights.onnx', sizeBytes: 0, rawSize: new Uint8Array(12).fill(0xff) })),
  'size-no-number': () => archive(contract(), golden(), header({ name: 'weights.onnx', sizeBytes: 0, rawSize: Buffer.from('99999999999\0') })),
  'size-over-the-limit': () => archive(header({ name: 'contract.json', sizeBytes: 17 * 1024 ** 2 })),
  'weights-over-the-limit': () => archive(contract(), golden(), header({ name: 'weights.onnx', sizeBytes: 8 ** 11 - 1 })),
  'checksum-wrong': () => archive(contract(), golden(), member('weights.onnx', file('weights.onnx'), { isChecksumWrong: true })),
  'cut-off-in-header': () => soundBundle().subarray(0, 700),
  'cut-off-in-member': () => soundBundle().subarray(0, contract().byteLength + 5_000),
  'nothing': () => new Uint8Array(0),
  'zeros-only': () => Buffer.alloc(10_240),
  'endless-zeros': () => gzipSync(Buffer.concat([soundBundle(), Buffer.alloc(64 * 1024 ** 2)])),
  'text': () => Buffer.from('this is no archive'),
  'zip': () => Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), Buffer.alloc(600)]),
  'member-missing': () => archive(contract(), weights()),
  'gzip-cut-off': () => gzipSync(soundBundle()).subarray(0, 2_000),
  'gzip-damaged': () => {
    const bytes = gzipSync(soundBundle());
    bytes.fill(0, 1_000, 1_100);
    return bytes;
  },
  'gzip-twice': () => gzipSync(gzipSync(soundBundle())),
  'gzip-bomb': () => gzipSync(archive(member('weights.onnx', new Uint8Array(64 * 1024 ** 2)))),
  'gzip-bomb-within-gzip': () => gzipSync(gzipSync(archive(member('weights.onnx', new Uint8Array(64 * 1024 ** 2))))),
  'members-without-end': () => gzipSync(Buffer.concat(Array<Buffer>(100_000).fill(header({ name: 'contract.json', sizeBytes: 0 })))),
  'contract-no-json': () => archive(member('contract.json', '{"model":'), weights(), golden()),
  'contract-not-utf8': () => archive(member('contract.json', Uint8Array.of(0x22, 0xff, 0x22)), weights(), golden()),
  'contract-prototype-key': () => archive(member('contract.json', '{"__proto__": {"model": "digits"}}'), weights(), golden()),
  'contract-nested': () => archive(member('contract.json', `${'['.repeat(100_000)}${']'.repeat(100_000)}`), weights(), golden()),
  'signature-no-json': () => soundBundle(member('model.sig', 'signed by me')),
  'signature-of-nothing': () => soundBundle(member('model.sig', '{"signed": "by me"}')),
  'weights-of-another-digest': () => archive(contract(), member('weights.onnx', changed('weights.onnx')), golden()),
  'weights-of-another-length': () => archive(contract(), member('weights.onnx', 'x'), golden()),
}; // prettier-ignore

function changed(name: string): Uint8Array {
  const bytes = Buffer.from(file(name));
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
  return bytes;
}
