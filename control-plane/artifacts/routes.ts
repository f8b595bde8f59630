// Blobs by digest: uploaded, or fetched from a listed host. Answered once the bytes are durable.

import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { blobRefSchema, sha256Schema } from '#protocol/identifiers.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import type { Audit } from '../store/audit.ts';
import type { FetchHost } from './address-hosts.ts';
import type { BlobStore } from './blob-store.ts';
import { fetchBlob } from './fetch-blob.ts';

const params = z.strictObject({ sha256: sha256Schema });

export interface ArtifactDeps {
  readonly blobs: BlobStore;
  readonly audit: Audit;
  readonly maxUploadBytes: number;
  /** Where blobs may be fetched from. */
  readonly fetchHosts: readonly FetchHost[];
}

const fetchSchema = z.strictObject({
  url: z.string().min(1).max(4_096),
  sha256: sha256Schema,
  sizeBytes: z.int().min(1),
});
/** Fetches at a time; each may take an hour. */
const MAX_FETCHES = 4;

export function artifactRoutes(deps: ArtifactDeps): ApiRouter {
  const router = apiRouter();
  uploadOperations(router, deps);
  fetchOperation(router, deps);
  return router;
}

function uploadOperations(router: ApiRouter, { blobs, audit, maxUploadBytes }: ArtifactDeps): void {
  route(
    router,
    {
      method: 'put',
      path: '/blobs/:sha256',
      tag: 'blobs',
      access: 'releaser',
      scope: 'handler',
      summary: 'Upload bytes under their sha256; the same upload again changes nothing',
      params,
      requestStream: 'application/octet-stream',
      response: blobRefSchema,
      errors: ['digest-mismatch', 'length-mismatch', 'body-too-large', 'disk-full'],
    },
    async ({ params: { sha256 }, request, actor }) => {
      const declaredBytes = Number(request.headers['content-length'] ?? 0);
      if (declaredBytes > maxUploadBytes) {
        throw new HoldfastError('body-too-large', `the upload of ${declaredBytes} bytes is too large`, {
          hint: `at most ${maxUploadBytes} bytes are taken`,
        });
      }
      const known = await blobs.has(sha256);
      // A refused upload must not take the connection along, on which the answer goes out.
      const stream = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
      const blob = await blobs.put(sha256, stream, { maxBytes: maxUploadBytes });
      if (!known) {
        await audit.record({
          actor,
          action: 'blob.upload',
          subject: sha256,
          detail: { sizeBytes: blob.sizeBytes },
        });
      }
      return blob;
    },
  );

  route(
    router,
    {
      method: 'head',
      path: '/blobs/:sha256',
      tag: 'blobs',
      access: 'viewer',
      scope: 'handler',
      summary: 'Whether a blob is there; Content-Length is its size',
      params,
      status: 200,
      errors: ['not-found'],
    },
    async ({ params: { sha256 }, response }) => {
      const sizeBytes = await blobs.sizeBytes(sha256);
      if (sizeBytes === null) throw new HoldfastError('not-found', `no blob ${sha256}`);
      response.setHeader('Content-Length', sizeBytes);
    },
  );
}

function fetchOperation(router: ApiRouter, deps: ArtifactDeps): void {
  const { blobs, audit, maxUploadBytes, fetchHosts: hosts } = deps;
  let running = 0;
  route(
    router,
    {
      method: 'post',
      path: '/blobs/fetch',
      tag: 'blobs',
      access: 'releaser',
      scope: 'handler',
      summary: 'Fetches a blob of known digest and length from a host listed in HOLDFAST_FETCH_HOSTS',
      body: fetchSchema,
      response: blobRefSchema,
      errors: [
        'address-forbidden', 'body-too-large', 'digest-mismatch', 'disk-full', 'download-failed',
        'length-mismatch', 'overloaded',
      ],
    },
    async ({ body: { url, ...wanted }, actor }) => {
      if (wanted.sizeBytes > maxUploadBytes) {
        throw new HoldfastError('body-too-large', `a blob of ${wanted.sizeBytes} bytes is too large`, {
          hint: `at most ${maxUploadBytes} bytes are taken`,
        });
      }
      if (running >= MAX_FETCHES) {
        throw new HoldfastError('overloaded', `${running} blobs are being fetched already`, {
          hint: 'ask again when one of them is there',
        });
      }
      running++;
      try {
        const blob = await fetchBlob({ blobs, hosts }, url, wanted);
        // The query may hold a signature that is a password for as long as it lasts.
        const { origin, pathname } = new URL(url);
        const detail = { sizeBytes: blob.sizeBytes, from: origin + pathname };
        await audit.record({ actor, action: 'blob.fetch', subject: blob.sha256, detail });
        return blob;
      } finally {
        running--;
      }
    },
  ); // prettier-ignore
}
