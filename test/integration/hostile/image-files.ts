// Hostile images by name: how each is made. Sources: PNG (ISO/IEC 15948), JPEG (ITU-T T.81), and the magic numbers of
// formats whose decoders are blocked.

import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const whole = Buffer.alloc(8 + body.length);
  whole.writeUInt32BE(data.byteLength);
  whole.set(body, 4);
  whole.writeUInt32BE(crc32(body), 4 + body.length);
  return whole;
}

/** `depth` bits a channel; colour type 0 is gray, 6 is RGBA. */
function header(width: number, height: number, depth = 8, colourType = 0, isInterlaced = false): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([depth, colourType, 0, 0, isInterlaced ? 1 : 0], 8);
  return chunk('IHDR', data);
}

const png = (...chunks: Buffer[]): Buffer =>
  Buffer.concat([SIGNATURE, ...chunks, chunk('IEND', Buffer.alloc(0))]);
const zeros = (sizeBytes: number): Buffer => deflateSync(Buffer.alloc(sizeBytes), { level: 1 });
/** 4 x 4 gray pixels: four rows with a filter byte each. */
const small = (...before: Buffer[]): Buffer => png(header(4, 4), ...before, chunk('IDAT', zeros(20)));

/** A picture that nothing is wrong with. */
export const soundImage = (): Uint8Array => small();

const segment = (marker: number, data: Uint8Array): Buffer => {
  const whole = Buffer.alloc(4 + data.byteLength);
  whole.set([0xff, marker]);
  whole.writeUInt16BE(2 + data.byteLength, 2);
  whole.set(data, 4);
  return whole;
};

/** A progressive JPEG, gray, whose one coefficient is scanned again and again. */
function scans(width: number, height: number, count: number): Buffer {
  const frame = Buffer.from([8, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 0x11, 0]);
  const huffman = Buffer.concat([
    Buffer.from([0]),
    Buffer.from([1, ...Array<number>(15).fill(0)]),
    Buffer.from([0]),
  ]);
  const scan = Buffer.concat([segment(0xda, Buffer.from([1, 1, 0, 0, 0, 0])), Buffer.alloc(16)]);
  const quantization = Buffer.concat([Buffer.from([0]), Buffer.alloc(64, 1)]);
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xdb, quantization),
    segment(0xc2, frame),
    segment(0xc4, huffman),
    ...Array<Buffer>(count).fill(scan),
    Buffer.from([0xff, 0xd9]),
  ]);
}

const tiff = (pages: number): Buffer => {
  const ifds = Array.from({ length: pages }, (_, page) => {
    const at = 8 + page * 42;
    const ifd = Buffer.alloc(42);
    ifd.writeUInt16LE(3, 0);
    for (const [index, [tag, value]] of [
      [256, 60_000],
      [257, 60_000],
      [258, 8],
    ].entries() as Iterable<[number, [number, number]]>) {
      ifd.writeUInt16LE(tag, 2 + index * 12);
      ifd.writeUInt16LE(3, 4 + index * 12);
      ifd.writeUInt32LE(1, 6 + index * 12);
      ifd.writeUInt32LE(value, 10 + index * 12);
    }
    ifd.writeUInt32LE(page + 1 < pages ? at + 42 : 0, 38);
    return ifd;
  });
  return Buffer.concat([Buffer.from([0x49, 0x49, 42, 0, 8, 0, 0, 0]), ...ifds]);
};

const gif = (frames: number): Buffer =>
  Buffer.concat([
    Buffer.from('GIF89a\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\xff\xff\xff', 'latin1'),
    ...Array<Buffer>(frames).fill(
      Buffer.from('\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00', 'latin1'),
    ),
    Buffer.from(';'),
  ]);

export const IMAGE_FILES: Readonly<Record<string, () => Uint8Array>> = {
  'one-colour-30000': () => png(header(30_000, 30_000, 1), chunk('IDAT', zeros(30_000 * 3_751))),
  'header-of-2-to-31': () => png(header(2 ** 31 - 1, 2 ** 31 - 1), chunk('IDAT', zeros(20))),
  'header-of-zero': () => png(header(0, 0), chunk('IDAT', zeros(20))),
  'rows-missing': () => png(header(4_000, 4_000), chunk('IDAT', zeros(20))),
  'interlaced-and-cut-off': () => png(header(8_000, 8_000, 16, 6, true), chunk('IDAT', zeros(20))),
  'checksum-wrong': () => {
    const bytes = small();
    bytes[40] = (bytes[40] as number) ^ 1;
    return bytes;
  },
  'chunk-past-the-end': () => {
    const bytes = small();
    bytes.writeUInt32BE(2 ** 31 - 1, 33);
    return bytes;
  },
  'png-cut-off': () => small().subarray(0, 50),
  'jpeg-of-65500': () => scans(65_500, 65_500, 1),
  'jpeg-of-1000-scans': () => scans(4_000, 4_000, 1_000),
  'jpeg-cut-off': () => scans(64, 64, 1).subarray(0, 100),
  'webp-of-16384': () => Buffer.from('RIFF\x1e\x00\x00\x00WEBPVP8L\x11\x00\x00\x00\x2f\xff\xff\xff\x0f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00', 'latin1'),
  'webp-cut-off': () => Buffer.from('RIFF\x1e\x00\x00\x00WEBPVP8 ', 'latin1'),
  'gif-of-10000-frames': () => gif(10_000),
  'gif-and-script': () => Buffer.concat([Buffer.from('GIF89a/*'), gif(1).subarray(6), Buffer.from('*/=1;alert(1)')]),
  'tiff-of-1000-pages': () => tiff(1_000),
  'svg-that-reads-files': () =>
    Buffer.from('<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/><text>&x;</text></svg>'),
  'svg-of-a-billion-laughs': () =>
    Buffer.from(`<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a0 "ha">${Array.from({ length: 10 }, (_, n) => `<!ENTITY a${n + 1} "${`&a${n};`.repeat(10)}">`).join('')}]><svg xmlns="http://www.w3.org/2000/svg"><text>&a10;</text></svg>`),
  'heif': () => Buffer.from('\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic', 'latin1'),
  'avif': () => Buffer.from('\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif', 'latin1'),
  'pdf': () => Buffer.from('%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF'),
  'postscript': () => Buffer.from('%!PS-Adobe-3.0\n{ } loop'),
  'ppm-of-60000': () => Buffer.from('P6 60000 60000 255\n\0\0\0', 'latin1'),
  'radiance': () => Buffer.from('#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 60000 +X 60000\n', 'latin1'),
  'jpeg2000': () => Buffer.from('\x00\x00\x00\x0cjP  \x0d\x0a\x87\x0a', 'latin1'),
  'vips-native': () => Buffer.concat([Buffer.from([0x08, 0xf2, 0xa6, 0xb6]), Buffer.alloc(60, 0xff)]),
  'image-magick-script': () => Buffer.from('push graphic-context\nimage over 0,0 0,0 "https://127.0.0.1/x"\npop graphic-context'),
  'zip-archive': () => Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), Buffer.alloc(60)]),
  'nothing-but-zeros': () => Buffer.alloc(1_000),
  'over-the-body-limit': () => Buffer.concat([small(), Buffer.alloc(64 * 1024 ** 2)]),
  // Within the limits, so they are answered: what they unpack to must be bounded, and not be kept.
  'profile-bomb': () => small(chunk('iCCP', Buffer.concat([Buffer.from('icc\0\0', 'latin1'), zeros(200_000_000)]))),
  'text-bomb': () => small(chunk('zTXt', Buffer.concat([Buffer.from('Comment\0\0', 'latin1'), zeros(200_000_000)]))),
  'pixel-data-bomb': () => png(header(4, 4), chunk('IDAT', zeros(200_000_000))),
  'rgba16-of-64-megapixels': () => png(header(8_192, 8_192, 16, 6, true), chunk('IDAT', zeros(20))),
  'rgba-interlaced-of-64-megapixels': () => png(header(8_192, 8_192, 8, 6, true), chunk('IDAT', zeros(8_192 * 8_192 * 4 + 15 * 8_192))),
}; // prettier-ignore
