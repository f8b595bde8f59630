// Uploads by digest: PUT /blobs/<sha256> streams to the store and is answered once the bytes are durable.

import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { blobRefSchema, sha256Schema } from '#protocol/identifiers.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import type { Audit } from '../store/audit.ts';
import type { BlobStore } from './blob-store.ts';

const params = z.strictObject({ sha256: sha256Schema });

export interface ArtifactDeps {
  readonly blobs: BlobStore;
  readonly audit: Audit;
  readonly maxUploadBytes: number;
}

export function artifactRoutes({ blobs, audit, maxUploadBytes }: ArtifactDeps): ApiRouter {
  const router = apiRouter();

  route(
    router,
    {
      method: 'put',
      path: '/blobs/:sha256',
      tag: 'blobs',
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

  return router;
}
