// Artifacts that come from memory onto a disk. Kept honest by test/contract/agent/artifact-source.test.ts.

import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactSource } from '#agent/ports/artifact-source.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import { digestOf } from './agent-releases.ts';

export class MemoryArtifacts implements ArtifactSource {
  /** What the control plane has, by sha256. */
  readonly remote = new Map<string, Buffer>();
  /** Digests that were fetched from the control plane, in order. */
  readonly fetched: string[] = [];
  /** When set, the control plane does not answer: fetches wait until it is unset by `connect`, or are aborted. */
  isAway = false;
  /** When set, nothing is deleted any more, as by a process that was killed. */
  isFrozen = false;
  readonly folder: string;
  readonly #waiting = new Set<() => void>();

  constructor(folder: string) {
    this.folder = folder;
  }

  add(bytes: Buffer): BlobRef {
    const sha256 = digestOf(bytes);
    this.remote.set(sha256, bytes);
    return { sha256, sizeBytes: bytes.length };
  }

  connect(): void {
    this.isAway = false;
    for (const tell of this.#waiting) tell();
  }

  async fetch(blob: BlobRef, options: Parameters<ArtifactSource['fetch']>[1]): Promise<string> {
    await mkdir(this.folder, { recursive: true });
    const path = join(this.folder, blob.sha256);
    if ((await readdir(this.folder)).includes(blob.sha256)) return path;
    for (let tries = 1; this.isAway && !options.signal.aborted; tries++) {
      if (tries === options.tries) throw new HoldfastError('download-failed', 'nobody answers');
      await this.#change(options.signal, options.tries !== undefined);
    }
    if (options.signal.aborted) throw new HoldfastError('cancelled', 'the download was stopped');
    const bytes = this.remote.get(blob.sha256);
    if (bytes === undefined) throw new HoldfastError('download-failed', `there is no blob ${blob.sha256}`);
    if (bytes.length !== blob.sizeBytes) throw new HoldfastError('length-mismatch', 'the length is wrong');
    if (digestOf(bytes) !== blob.sha256) throw new HoldfastError('digest-mismatch', 'the digest is wrong');
    this.fetched.push(blob.sha256);
    await writeFile(path, bytes);
    options.onProgress?.(bytes.length);
    return path;
  }

  async keepOnly(sha256s: ReadonlySet<string>): Promise<void> {
    if (this.isFrozen) return;
    await mkdir(this.folder, { recursive: true });
    for (const name of await readdir(this.folder)) {
      if (!sha256s.has(name)) await rm(join(this.folder, name));
    }
  }

  #change(signal: AbortSignal, isHasty: boolean): Promise<void> {
    if (isHasty) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const tell = (): void => {
        this.#waiting.delete(tell);
        resolve();
      };
      this.#waiting.add(tell);
      signal.addEventListener(
        'abort',
        () => reject(new HoldfastError('cancelled', 'the download was stopped')),
        { once: true },
      );
    });
  }
}
