// A version as one archive: its members go through the same checks as an import of uploaded blobs. Invariant: of a
// bundle that is refused nothing is left, but what was there before.

import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { createVersionSchema, modelVersionSchema, type ModelVersion } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { modelNameSchema, type BlobRef } from '#protocol/identifiers.ts';
import { ScratchDir } from '../compression/child/scratch-dir.ts';
import { assertTame } from '../http/json-body.ts';
import { MAX_GOLDEN_BYTES } from '../registry/import-version.ts';
import { MAX_CONTRACT_BYTES } from '../registry/routes.ts';
import { versionParameter } from '../http/parameters.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import { validated } from '../http/validated.ts';
import type { BlobStore } from './blob-store.ts';
import { readBundle, type Bundle, type BundleLimits, type BundleMember } from './bundle-reader.ts';

const MAX_SIGNATURE_BYTES = 1024 ** 2;

type CreateVersion = z.output<typeof createVersionSchema>;

export interface BundleDeps {
  readonly blobs: BlobStore;
  readonly maxModelBytes: number;
  /** Where members lie until they are blobs. */
  readonly scratchRoot: string;
  readonly createVersion: (request: CreateVersion, actor: string) => Promise<ModelVersion>;
}

export function bundleRoutes(deps: BundleDeps): ApiRouter {
  const router = apiRouter();
  const limits: BundleLimits = {
    'contract.json': MAX_CONTRACT_BYTES,
    'weights.onnx': deps.maxModelBytes,
    'golden.safetensors': MAX_GOLDEN_BYTES,
    'model.sig': MAX_SIGNATURE_BYTES,
  };
  route(
    router,
    {
      method: 'post', path: '/models/:model/versions/bundle', tag: 'models', access: 'releaser', status: 201,
      summary: 'Imports a version from one tar archive, plain or gzipped: contract.json, weights.onnx, golden.safetensors, model.sig',
      scope: ({ params }) => ({ model: params.model }),
      params: z.strictObject({ model: modelNameSchema }),
      query: z.strictObject({ version: versionParameter.optional() }),
      requestStream: 'application/octet-stream',
      response: modelVersionSchema,
      errors: [
        'archive-invalid', 'archive-too-large', 'contract-invalid', 'contract-mismatch', 'digest-mismatch', 'disk-full',
        'golden-invalid', 'length-mismatch', 'onnx-external-data', 'onnx-malformed', 'onnx-opset-unsupported',
        'onnx-too-large', 'signature-invalid', 'signature-missing', 'version-exists',
      ],
    },
    async ({ params, query, request, actor }) => {
      await using scratch = await ScratchDir.create(deps.scratchRoot);
      // A refused bundle must not take the connection along, on which the answer goes out.
      const stream = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
      const bundle = await readBundle(stream, scratch.path, limits);
      const wanted = await requestOf(bundle, query.version);
      if (wanted.contract.model !== params.model) {
        throw new HoldfastError('contract-invalid', `the contract is of the model ${wanted.contract.model}`, {
          hint: `send the bundle to /api/v1/models/${wanted.contract.model}/versions/bundle`,
        });
      }
      return await importBundle(deps, bundle, wanted, actor);
    },
  ); // prettier-ignore
  return router;
}

/** Stores the members and imports; takes back what it stored when that is refused. */
async function importBundle(
  { blobs, createVersion }: BundleDeps,
  bundle: Bundle,
  request: CreateVersion,
  actor: string,
): Promise<ModelVersion> {
  const { weights, golden } = request.contract;
  const members = [memberAs(bundle, 'weights.onnx', weights), memberAs(bundle, 'golden.safetensors', golden)];
  const stored: string[] = [];
  try {
    for (const { path, sha256, sizeBytes } of members) {
      const isKnown = await blobs.has(sha256);
      await blobs.put(sha256, createReadStream(path), { maxBytes: sizeBytes });
      if (!isKnown) stored.push(sha256);
    }
    return await createVersion(request, actor);
  } catch (error) {
    // Whatever else uses these very bytes by now would have been refused for the same reason; a failure says nothing.
    if (error instanceof HoldfastError) for (const sha256 of stored) await blobs.remove(sha256);
    throw error;
  }
}

/** Throws `length-mismatch` or `digest-mismatch` for a member that is not what the contract says. */
function memberAs(
  bundle: Bundle,
  name: 'weights.onnx' | 'golden.safetensors',
  declared: BlobRef,
): BundleMember {
  const member = bundle.get(name) as BundleMember;
  const hint = 'make the contract from the very files that are packed';
  if (member.sizeBytes !== declared.sizeBytes) {
    const what = `${name} has ${member.sizeBytes} bytes, the contract says ${declared.sizeBytes}`;
    throw new HoldfastError('length-mismatch', what, { hint });
  }
  if (member.sha256 !== declared.sha256) {
    const what = `${name} has sha256 ${member.sha256}, the contract says ${declared.sha256}`;
    throw new HoldfastError('digest-mismatch', what, { hint });
  }
  return member;
}

async function requestOf(bundle: Bundle, version: number | undefined): Promise<CreateVersion> {
  const contract = await readJson(bundle.get('contract.json') as BundleMember, 'contract-invalid');
  const signed = bundle.get('model.sig');
  const signature = signed && { signature: await readJson(signed, 'signature-invalid') };
  const request = { contract, version, ...signature };
  return validated(createVersionSchema, request, 'the bundle', 'contract-invalid');
}

/** Throws `code` for what is not JSON, and `bad-request` for JSON that is wild. */
async function readJson(
  { path }: BundleMember,
  code: 'contract-invalid' | 'signature-invalid',
): Promise<unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path)));
  } catch (cause) {
    throw new HoldfastError(code, `${basename(path)} of the bundle is not JSON`, {
      hint: 'pack it as JSON in UTF-8',
      cause,
    });
  }
  assertTame(value);
  return value;
}
