// One try at a blob: GET {gatewayUrl}/blobs/<sha256> from where the partial file ends. Invariants: never
// more bytes are taken than the signed length; the file is fsynced before its digest is judged; what was
// received stays for the next try unless it is wrong.

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { request, type Dispatcher } from 'undici';
import { HoldfastError } from '#protocol/errors.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import type { BlobFolder } from './blob-folder.ts';

export interface DownloadRequest {
  readonly blob: BlobRef;
  readonly folder: BlobFolder;
  readonly gatewayUrl: string;
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
  readonly onProgress?: (receivedBytes: number) => void;
}

/** What was received cannot become this blob. */
export class WrongBytes extends HoldfastError {}

/** The gateway answered and said no. */
export class Refusal extends HoldfastError {}

/**
 * Completes the partial file and gives it its name; resolves to the path. Throws WrongBytes, Refusal, or
 * whatever broke the connection.
 */
export async function downloadBlob(job: DownloadRequest): Promise<string> {
  const { blob, folder, signal } = job;
  let { receivedBytes, hash } = await folder.resume(blob, signal);
  if (receivedBytes < blob.sizeBytes) {
    await using file = await open(folder.partialPath(blob), 'a', 0o600);
    const { startsAt, body } = await requestFrom(receivedBytes, job);
    if (startsAt !== receivedBytes) {
      await file.truncate(0);
      receivedBytes = 0;
      hash = createHash('sha256');
    }
    for await (const chunk of body) {
      const bytes = chunk as Buffer;
      receivedBytes += bytes.length;
      if (receivedBytes > blob.sizeBytes) {
        throw new WrongBytes('length-mismatch', `more came than the signed ${blob.sizeBytes} bytes`);
      }
      await file.writeFile(bytes);
      hash.update(bytes);
      job.onProgress?.(receivedBytes);
    }
    await file.sync();
  }
  if (receivedBytes < blob.sizeBytes) {
    const what = `the connection ended after ${receivedBytes} of ${blob.sizeBytes} bytes`;
    throw new HoldfastError('download-failed', what);
  }
  if (hash.digest('hex') !== blob.sha256) {
    throw new WrongBytes('digest-mismatch', `what was received does not hash to ${blob.sha256}`, {
      hint: 'the stored blob or the way to it is damaged; upload it again',
    });
  }
  return folder.accept(blob);
}

/** Asks for the bytes from `from` on; `startsAt` is 0 when the server ignored the range. */
async function requestFrom(from: number, job: DownloadRequest) {
  const { statusCode, headers, body } = await request(`${job.gatewayUrl}/blobs/${job.blob.sha256}`, {
    dispatcher: job.dispatcher,
    signal: job.signal,
    headers: from === 0 ? {} : { range: `bytes=${from}-` },
  });
  if (statusCode === 200) return { startsAt: 0, body };
  const range = /^bytes (\d+)-/.exec(String(headers['content-range']));
  if (statusCode === 206 && Number(range?.[1]) === from) return { startsAt: from, body };
  await body.dump();
  if (statusCode === 206 || statusCode === 416) {
    throw new WrongBytes(
      'length-mismatch',
      `the gateway cannot go on from byte ${from} of ${job.blob.sizeBytes}`,
    );
  }
  const what = `the gateway answered ${statusCode} for blob ${job.blob.sha256}`;
  if (statusCode >= 500 || statusCode === 429) throw new HoldfastError('download-failed', what);
  const hint =
    statusCode === 404
      ? 'upload the blob to the control plane again'
      : 'check that the control plane still knows this device';
  throw new Refusal('download-failed', what, { hint });
}
