// Takes a version's files out of a tar stream, plain or gzipped, into a folder. Invariants: only plain files of the
// names below are taken, each once and within its bound; what the archive unpacks to is bounded before it is looked
// at; file names of the archive never become paths. The format itself is read by the package `tar`.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { Parser, type ReadEntry } from 'tar';
import { HoldfastError } from '#protocol/errors.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import { storeError } from './file-blob-store.ts';
import { unpackedBytes } from './bundle-stream.ts';

const MEMBERS = ['contract.json', 'weights.onnx', 'golden.safetensors', 'model.sig'] as const;
type Member = (typeof MEMBERS)[number];
const NEEDED: readonly Member[] = ['contract.json', 'weights.onnx', 'golden.safetensors'];

/** Largest size of each member, bytes. */
export type BundleLimits = Readonly<Record<Member, number>>;

export interface BundleMember extends BlobRef {
  readonly path: string;
}

/** The members that were there. */
export type Bundle = ReadonlyMap<Member, BundleMember>;

const PLAIN_TYPES: ReadonlySet<string> = new Set(['File', 'OldFile']);
const MAX_HEADER_BYTES = 64 * 1024;
/** Headers of the members, and the zeros at the end of an archive. */
const OVERHEAD_BYTES = 1024 ** 2;

/** Errors: `archive-invalid`, `archive-too-large`, `disk-full`, and what the stream throws. */
export async function readBundle(
  stream: AsyncIterable<Uint8Array>,
  folder: string,
  limits: BundleLimits,
): Promise<Bundle> {
  const reading = new BundleReading(folder, limits);
  const maxBytes = Object.values(limits).reduce((sum, bytes) => sum + bytes, OVERHEAD_BYTES);
  try {
    for await (const chunk of unpackedBytes(stream, maxBytes)) await reading.take(chunk);
    return await reading.end();
  } catch (error) {
    await reading.abandon();
    throw error;
  }
}

class BundleReading {
  readonly #folder: string;
  readonly #limits: BundleLimits;
  readonly #parser = new Parser({ strict: true, maxMetaEntrySize: MAX_HEADER_BYTES });
  readonly #failed = Promise.withResolvers<never>();
  readonly #members = new Map<Member, BundleMember>();
  readonly #begun = new Set<Member>();
  #entry: ReadEntry | null = null;
  #written: Promise<void> = Promise.resolve();
  #file: WriteStream | null = null;
  #isPadding = false;

  constructor(folder: string, limits: BundleLimits) {
    this.#folder = folder;
    this.#limits = limits;
    this.#failed.promise.catch(() => undefined); // told to whoever takes or ends
    this.#parser.on('entry', (entry: ReadEntry) => {
      this.#entry = entry;
      this.#written = this.#keep(entry).catch((error: unknown) => this.#failed.reject(storeError(error)));
    });
    this.#parser.on('ignoredEntry', ({ path }: ReadEntry) => {
      this.#failed.reject(invalid(`it has a member of an unknown kind, ${shown(path)}`));
    });
    this.#parser.on('eof', () => (this.#isPadding = true));
    this.#parser.on('error', (cause: Error) => this.#failed.reject(invalid(cause.message, cause)));
  }

  async take(chunk: Uint8Array): Promise<void> {
    // What follows the end of an archive is padding, which the parser would only pile up.
    if (this.#isPadding) return;
    const isTaken = this.#parser.write(Buffer.from(chunk));
    const drained = isTaken ? null : once(this.#parser, 'drain');
    drained?.catch(() => undefined); // an error of the parser is told by `failed`
    await Promise.race([this.#failed.promise, drained]);
  }

  async end(): Promise<Bundle> {
    const ended = once(this.#parser, 'end');
    ended.catch(() => undefined);
    this.#parser.end();
    await Promise.race([this.#failed.promise, ended]);
    await Promise.race([this.#failed.promise, this.#written]);
    const missing = NEEDED.find((member) => !this.#members.has(member));
    if (missing !== undefined) throw invalid(`${missing} is missing`);
    return this.#members;
  }

  /** Lets go of what is half read. */
  async abandon(): Promise<void> {
    this.#entry?.destroy();
    this.#file?.destroy();
    await this.#written;
  }

  async #keep(entry: ReadEntry): Promise<void> {
    const member = memberOf(entry);
    if (this.#begun.has(member)) throw invalid(`${member} is there twice`);
    this.#begun.add(member);
    if (entry.size === 0) throw invalid(`${member} is empty, or its size is no number`);
    if (entry.size > this.#limits[member]) {
      throw new HoldfastError('archive-too-large', `${member} of the bundle has ${entry.size} bytes`, {
        hint: `at most ${this.#limits[member]} bytes are taken`,
      });
    }
    const path = join(this.#folder, member);
    const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
    this.#file = file;
    const hash = createHash('sha256');
    entry.on('data', (chunk: Buffer) => void hash.update(chunk));
    entry.pipe(file);
    await finished(file);
    this.#members.set(member, { path, sha256: hash.digest('hex'), sizeBytes: entry.size });
  }
}

/** The name of a plain file that belongs into a bundle. Throws `archive-invalid`. */
function memberOf({ type, path, linkpath, extended, globalExtended }: ReadEntry): Member {
  const member = MEMBERS.find((name) => name === path);
  if (member === undefined) throw invalid(`it has a member ${shown(path)}`);
  if (!PLAIN_TYPES.has(type) || linkpath) throw invalid(`${member} is no plain file`);
  for (const header of [extended, globalExtended]) {
    // Two names or two sizes for one member are read differently by different programs.
    if (header?.path !== undefined || header?.size !== undefined || header?.linkpath !== undefined)
      throw invalid(`${member} has its name or size in an extended header`);
  }
  return member;
}

function invalid(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('archive-invalid', `the bundle cannot be taken: ${what}`, {
    hint: `pack plain files: tar -czf bundle.tar.gz ${NEEDED.join(' ')}`,
    ...(cause === undefined ? {} : { cause }),
  });
}

function shown(path: string): string {
  return JSON.stringify(path.slice(0, 100));
}
