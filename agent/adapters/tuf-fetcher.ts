// Fetches metadata files for tuf-js from one pinned base: no redirects, bounded in bytes and in time, kept
// in memory. TLS (pinned authority, this device's certificate) is the dispatcher's part.

import type { Fetcher } from 'tuf-js';
import { DownloadError, DownloadHTTPError, DownloadLengthMismatchError } from 'tuf-js/dist/error.js';
import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { HoldfastError } from '#protocol/errors.ts';

/** `timestamp.json`, `7.root.json`, `3.team%2Fx.json`: one segment, no query. */
const FILE_NAME = /^[A-Za-z0-9_%.!~*'()-]{1,250}\.json$/;

/** Read of an answer that is no metadata, so that the connection can be used again. */
const REFUSAL_LIMIT_BYTES = 16_384;

export interface TufFetcherOptions {
  /** Ends with a slash. */
  readonly baseUrl: string;
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
  /** For one file, from the request to its last byte. */
  readonly timeoutMs: number;
}

export class TufFetcher implements Fetcher {
  readonly #options: TufFetcherOptions;

  constructor(options: TufFetcherOptions) {
    this.#options = options;
  }

  /** Errors: DownloadHTTPError (tuf-js reads 403 and 404 of a root as "no newer one"), DownloadError, `cancelled`. */
  async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
    const { baseUrl, signal } = this.#options;
    if (!url.startsWith(baseUrl) || !FILE_NAME.test(url.slice(baseUrl.length))) {
      throw new DownloadError(`${url} is not a metadata file below ${baseUrl}`);
    }
    try {
      return await this.#download(url, maxLength);
    } catch (error) {
      if (signal.aborted) throw new HoldfastError('cancelled', 'the refresh was stopped', { cause: error });
      if (error instanceof DownloadError) throw error;
      throw Object.assign(
        new DownloadError(`${url}: ${error instanceof Error ? error.message : String(error)}`),
        {
          cause: error,
        },
      );
    }
  }

  /** Artifacts come by the resumable, content-addressed way, never through tuf-js. */
  async downloadFile<T>(): Promise<T> {
    throw new HoldfastError('internal', 'tuf-js was asked to download an artifact');
  }

  async #download(url: string, maxLength: number): Promise<Buffer> {
    const { dispatcher, signal, timeoutMs } = this.#options;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const { statusCode, body } = await request(url, { dispatcher, signal: bounded });
    if (statusCode !== 200) {
      await body.dump({ limit: REFUSAL_LIMIT_BYTES, signal: bounded });
      throw new DownloadHTTPError(`${url} answered ${statusCode}`, statusCode);
    }
    const chunks: Uint8Array[] = [];
    let received = 0;
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      received += chunk.length;
      if (received > maxLength)
        throw new DownloadLengthMismatchError(`${url} is longer than ${maxLength} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }
}
