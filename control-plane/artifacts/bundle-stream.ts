// The bytes of a tar stream that may be gzipped. Invariants: no more comes out than is asked for, nor many times more
// than went in; what is compressed twice is refused, so that nothing further on unpacks it unseen.

import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { HoldfastError } from '#protocol/errors.ts';

const GZIP_BYTE = 0x1f;
/** First bytes of gzip and of Zstandard; no name of a bundle's member begins with them. */
const COMPRESSED_BYTES: ReadonlySet<number> = new Set([GZIP_BYTE, 0x28]);
/** Weights compress by tens of per cent; a file of one byte repeated by a thousand times. */
const MAX_RATIO = 100;
/** Up to here any ratio is taken. */
const FREE_BYTES = 16 * 1024 ** 2;

/** Errors: `archive-invalid`, `archive-too-large`, and what `stream` throws. */
export async function* unpackedBytes(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  const counted = { inBytes: 0, outBytes: 0 };
  for await (const chunk of decompressed(stream, counted)) {
    if (counted.outBytes === 0 && COMPRESSED_BYTES.has(chunk[0] as number))
      throw malformed('it is compressed more than once, or not with gzip');
    counted.outBytes += chunk.byteLength;
    if (counted.outBytes > maxBytes) throw tooLarge(`is more than ${maxBytes} bytes unpacked`);
    if (counted.outBytes > FREE_BYTES && counted.outBytes > MAX_RATIO * counted.inBytes)
      throw tooLarge(`unpacks to more than ${MAX_RATIO} times its size`);
    yield chunk;
  }
  if (counted.outBytes === 0) throw malformed('it is empty');
}

async function* decompressed(
  stream: AsyncIterable<Uint8Array>,
  counted: { inBytes: number },
): AsyncGenerator<Uint8Array> {
  const chunks = countedChunks(stream, counted);
  try {
    const first = await chunks.next();
    if (first.done === true) return;
    const whole = startingWith(first.value, chunks);
    yield* first.value[0] === GZIP_BYTE ? gunzipped(whole) : whole;
  } finally {
    // Lets go of the stream, also where only its first chunk was asked for; a chunk that is awaited is not waited for.
    chunks.return(undefined).catch(() => undefined);
  }
}

async function* countedChunks(
  stream: AsyncIterable<Uint8Array>,
  counted: { inBytes: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of stream) {
    counted.inBytes += chunk.byteLength;
    if (chunk.byteLength > 0) yield chunk;
  }
}

async function* startingWith(
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield first;
  yield* rest;
}

async function* gunzipped(compressed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(compressed);
  const gunzip = createGunzip();
  source.once('error', (error) => gunzip.destroy(error));
  try {
    yield* source.pipe(gunzip) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    if (source.errored !== null) throw source.errored;
    throw malformed(`it cannot be unpacked: ${(cause as Error).message}`, cause);
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

function tooLarge(what: string): HoldfastError {
  return new HoldfastError('archive-too-large', `the bundle ${what}`, {
    hint: 'upload the files one by one: PUT /api/v1/blobs/<sha256>',
  });
}

function malformed(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('archive-invalid', `the bundle cannot be read: ${what}`, {
    hint: 'send a tar archive, plain or gzipped',
    ...(cause === undefined ? {} : { cause }),
  });
}
