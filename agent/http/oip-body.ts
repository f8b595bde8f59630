// Reads a request's body into one buffer, bounded before anything is allocated.

import type { IncomingMessage } from 'node:http';
import { HoldfastError } from '#protocol/errors.ts';
import { freeBytes } from '../worker/free-bytes.ts';

/** Copies each byte at most once, and not at all when the body comes in one piece. Throws `body-too-large`, `bad-request`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const declared = request.headers['content-length'];
  if (declared === undefined) return await readChunked(request, maxBytes);
  const sizeBytes = Number(declared);
  if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
  return await new Promise((resolve, reject) => {
    let whole: Buffer | null = null;
    let filled = 0;
    request.on('data', (chunk: Buffer) => {
      if (whole === null && chunk.length === sizeBytes) whole = chunk;
      else {
        whole ??= Buffer.allocUnsafe(sizeBytes);
        chunk.copy(whole, filled);
      }
      filled += chunk.length;
      if (whole !== chunk) freeBytes(chunk);
    });
    request.on('end', () => resolve(whole ?? Buffer.alloc(0)));
    request.on('error', reject);
    request.on('close', () => {
      if (filled < sizeBytes) reject(cutOff());
    });
  });
}

async function readChunked(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(maxBytes: number): HoldfastError {
  return new HoldfastError('body-too-large', `the body is over the limit of ${maxBytes} bytes`, {
    hint: 'send an encoded image, or fewer inputs at a time',
  });
}

function cutOff(): HoldfastError {
  return new HoldfastError('bad-request', 'the request ended before its body was whole');
}
