// Blobs from the device gateway over mTLS, into the data folder. Invariants: a blob gets its name only
// after its whole hash was right; partial bytes are resumed, also by the next process. Trouble on the way
// is retried until the caller's signal ends it; wrong bytes and refusals only a few times.

import type { Dispatcher } from 'undici';
import { describeError, HoldfastError } from '#protocol/errors.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import { backoffMs } from '../domain/backoff.ts';
import { DISK_RESERVE_BYTES } from '../domain/room.ts';
import type { ArtifactSource, FetchOptions } from '../ports/artifact-source.ts';
import type { Chance, Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import { sleep } from '../ports/sleep.ts';
import { downloadBlob, Refusal, WrongBytes } from './blob-download.ts';
import { BlobFolder } from './blob-folder.ts';

const BACKOFF = { firstMs: 250, maxMs: 15_000 };
/** Times that wrong bytes, a wrong length or a refusal (4xx) are met before giving up. */
const MAX_WRONG = 3;

export interface HttpsArtifactsOptions {
  readonly directory: string;
  readonly gatewayUrl: string;
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly logger: Logger;
  /** Free bytes of the folder's disk; the file system's own answer unless told. */
  readonly freeBytes?: () => Promise<number>;
}

export class HttpsArtifacts implements ArtifactSource {
  readonly #options: HttpsArtifactsOptions;
  readonly #folder: BlobFolder;
  /** One fetch of a blob at a time; a second call waits and then finds it there. */
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(options: HttpsArtifactsOptions) {
    this.#options = options;
    this.#folder = new BlobFolder(options.directory);
  }

  async fetch(blob: BlobRef, options: FetchOptions): Promise<string> {
    const before = this.#running.get(blob.sha256);
    const mine = Promise.allSettled([before]).then(() => this.#fetchAlone(blob, options));
    this.#running.set(blob.sha256, mine);
    try {
      return await mine;
    } finally {
      if (this.#running.get(blob.sha256) === mine) this.#running.delete(blob.sha256);
    }
  }

  async keepOnly(sha256s: ReadonlySet<string>): Promise<void> {
    await this.#folder.create();
    await this.#folder.keepOnly(new Set([...sha256s, ...this.#running.keys()]));
  }

  async #fetchAlone(blob: BlobRef, options: FetchOptions): Promise<string> {
    const { clock, chance, logger, gatewayUrl, dispatcher } = this.#options;
    let wrong = 0;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#folder.create();
        if (await this.#folder.hasVerified(blob, options.signal)) return this.#folder.path(blob);
        await this.#requireSpace(blob);
        return await downloadBlob({ blob, folder: this.#folder, gatewayUrl, dispatcher, ...options });
      } catch (cause) {
        const error = await this.#named(cause, blob, options.signal);
        if (error instanceof WrongBytes || error instanceof Refusal) wrong++;
        else if (error.code !== 'download-failed') throw error;
        if (wrong >= MAX_WRONG || attempt === options.tries) throw error;
        logger.warn('a download was interrupted and is tried again', { sha256: blob.sha256, attempt, error });
        await sleep(clock, backoffMs(attempt, BACKOFF, chance.uniform()), options.signal);
      }
    }
  }

  async #requireSpace(blob: BlobRef): Promise<void> {
    const missingBytes = blob.sizeBytes - (await this.#folder.partialBytes(blob)) + DISK_RESERVE_BYTES;
    const freeBytes = await (this.#options.freeBytes?.() ?? this.#folder.freeBytes());
    if (freeBytes < missingBytes)
      throw diskFull(`${missingBytes} bytes are needed and ${freeBytes} are free`);
  }

  /** Names an error by its code, and takes from the disk what must not stay there. */
  async #named(error: unknown, blob: BlobRef, signal: AbortSignal): Promise<HoldfastError> {
    if (signal.aborted) {
      return new HoldfastError('cancelled', 'the download was stopped', { cause: signal.reason });
    }
    const outOfSpace = isDiskFull(error);
    if (outOfSpace || error instanceof WrongBytes) await this.#folder.discardPartial(blob);
    if (outOfSpace) return diskFull(describeError(error), error);
    if (error instanceof HoldfastError) return error;
    return new HoldfastError('download-failed', `blob ${blob.sha256}: ${describeError(error)}`, {
      hint: 'the control plane may be away; the download goes on by itself when it is back',
      cause: error,
    });
  }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

function diskFull(what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('disk-full', `no space for the download: ${what}`, {
    hint: 'free space on the disk of the data folder',
    ...(cause === undefined ? {} : { cause }),
  });
}
