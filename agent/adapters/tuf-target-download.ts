// Fetches the bytes of a verified target (TUF 1.0 section 5.7) into a folder: from one pinned base, no redirects,
// no longer than signed, in bounded time. Invariant: a file has its final name only after its length and every
// signed hash matched; a file that matches already is not fetched again.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TargetFile } from '@tufjs/models';
import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { HoldfastError } from '#protocol/errors.ts';
import { makeDirectoryDurably, renameDurably } from './durable-file.ts';

const ALGORITHMS = new Set(['sha256', 'sha384', 'sha512']);
const HEX = /^[0-9a-f]{64,128}$/;
/** A server slower than this is given up. */
const SLOWEST_BYTES_PER_MS = 8;
const GRACE_MS = 30_000;
/** Read of an answer that is no target, so that the connection can be used again. */
const REFUSAL_LIMIT_BYTES = 16_384;
const LONGEST_MS = 2 ** 31 - 1;
/** Longest name that every file system takes, less room for a prefix and a suffix. */
const MAX_NAME_BYTES = 200;
/** What a path segment of a URL may hold unquoted (RFC 3986 pchar), and what is quoted already. */
const TO_QUOTE = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]/gu;
const DOT_SEGMENT = /^(?:\.|%2e){0,2}$/i;

export interface TargetDownloadOptions {
  /** Ends with a slash. */
  readonly baseUrl: string;
  readonly directory: string;
  readonly dispatcher: Dispatcher;
  readonly isConsistentSnapshot: boolean;
}

/** Resolves to the file's path. Errors: `download-failed`, `length-mismatch`, `digest-mismatch`, `tuf-mismatch`. */
export async function downloadTarget(target: TargetFile, options: TargetDownloadOptions): Promise<string> {
  const { directory } = options;
  const hashes = usableHashes(target);
  await makeDirectoryDurably(directory);
  const path = join(directory, fileNameOf(target.path));
  if (await hasContent(path, target, hashes)) return path;
  const url = urlOf(target.path, options, hashes);
  const temporary = join(directory, `.holdfast-${process.pid}.part`);
  try {
    await fetchInto(temporary, url, target, options.dispatcher);
    if (!(await hasContent(temporary, target, hashes))) {
      throw new HoldfastError('digest-mismatch', `${url} has not the hashes that were signed`, {
        hint: 'Nothing was kept; find out who changed the file.',
      });
    }
    await renameDurably(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
  return path;
}

function usableHashes(target: TargetFile): [algorithm: string, hex: string][] {
  const hashes = Object.entries(target.hashes);
  const isUsable = hashes.every(([algorithm, hex]) => ALGORITHMS.has(algorithm) && HEX.test(hex));
  if (isUsable && hashes.length > 0 && Number.isSafeInteger(target.length)) return hashes;
  throw new HoldfastError('tuf-mismatch', `${target.path} is signed with hashes that cannot be checked`, {
    hint: 'Sign it with sha256 or sha512.',
  });
}

/** One name a target path, inside the folder whatever the path is. */
function fileNameOf(targetPath: string): string {
  const quoted = encodeURIComponent(targetPath).replace(/^\.+/, (dots) => '%2E'.repeat(dots.length));
  if (quoted.length <= MAX_NAME_BYTES) return quoted;
  return createHash('sha256').update(targetPath).digest('hex');
}

function urlOf(
  targetPath: string,
  { baseUrl, isConsistentSnapshot }: TargetDownloadOptions,
  hashes: readonly [string, string][],
): string {
  const segments = targetPath.replace(TO_QUOTE, encodeURIComponent).split('/');
  if (segments.some((segment) => DOT_SEGMENT.test(segment))) {
    throw new HoldfastError('tuf-mismatch', `${targetPath} is no path below the targets`, {
      hint: 'Sign it under a path without empty parts and dots.',
    });
  }
  const last = segments.pop() ?? '';
  const prefix = isConsistentSnapshot ? `${hashes[0]?.[1] ?? ''}.` : '';
  return baseUrl + [...segments, prefix + last].join('/');
}

async function fetchInto(
  path: string,
  url: string,
  { length }: TargetFile,
  dispatcher: Dispatcher,
): Promise<void> {
  const signal = AbortSignal.timeout(
    Math.min(GRACE_MS + Math.ceil(length / SLOWEST_BYTES_PER_MS), LONGEST_MS),
  );
  await using file = await open(path, 'wx', 0o600);
  try {
    const { statusCode, body } = await request(url, { dispatcher, signal });
    if (statusCode !== 200) {
      await body.dump({ limit: REFUSAL_LIMIT_BYTES, signal });
      throw new HoldfastError('download-failed', `${url} answered ${statusCode}`);
    }
    let received = 0;
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      received += chunk.length;
      if (received > length) throw wrongLength(url, `longer than the ${length} bytes that were signed`);
      await file.writeFile(chunk);
    }
    if (received < length) throw wrongLength(url, `${received} of the ${length} bytes that were signed`);
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new HoldfastError('download-failed', `${url}: ${why}`, { cause: error });
  }
  await file.sync();
}

function wrongLength(url: string, what: string): HoldfastError {
  return new HoldfastError('length-mismatch', `${url} is ${what}`, { hint: 'Nothing was kept.' });
}

async function hasContent(
  path: string,
  { length }: TargetFile,
  hashes: readonly [string, string][],
): Promise<boolean> {
  const digests = hashes.map(([algorithm, hex]) => ({ digest: createHash(algorithm), hex }));
  let seen = 0;
  try {
    for await (const chunk of createReadStream(path, { end: length }) as AsyncIterable<Buffer>) {
      seen += chunk.length;
      for (const { digest } of digests) digest.update(chunk);
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
  return seen === length && digests.every(({ digest, hex }) => digest.digest('hex') === hex);
}
