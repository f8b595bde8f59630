// Takes in a version: its blobs are there, its ONNX file is sound and says what the contract says, its
// golden vectors fit. INVARIANTS: versions never change; the same contract again is the same version;
// numbers are dense unless one was asked for. Nothing is stored before all checks have passed.

import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { z } from 'zod';
import type { createVersionSchema } from '#protocol/api.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import type { BlobStore } from '../artifacts/blob-store.ts';
import { inspectOnnx } from '../compression/onnx/inspect.ts';
import { DEFAULT_ONNX_LIMITS } from '../compression/onnx/limits.ts';
import type { Database } from '../store/schema.ts';
import { addSignature, putSignature, takeSignature, type SignatureDeps } from './add-signature.ts';
import { assertNotNeeded } from './author-signature.ts';
import { assertContractMatches } from './contract-check.ts';
import { inspectGolden } from './golden-vectors.ts';

export type CreateVersionRequest = z.output<typeof createVersionSchema>;

export interface ImportDeps extends SignatureDeps {
  /** Largest ONNX file that is parsed, in this process's memory. */
  readonly maxModelBytes: number;
}

export const MAX_GOLDEN_BYTES = 64 * 1024 ** 2;

/**
 * Answers the number of the version. Errors: `not-found` or `length-mismatch` for its blobs, `onnx-*`,
 * `contract-mismatch`, `golden-invalid`, `contract-invalid`, `version-exists`, `signature-missing`, `signature-invalid`.
 */
export async function importVersion(
  deps: ImportDeps,
  request: CreateVersionRequest,
  actor: string,
): Promise<number> {
  const { store, audit, events } = deps;
  const { contract } = request;
  const json = canonicalJson(contract);
  const contractSha256 = createHash('sha256').update(json).digest('hex');
  const place = await findPlace(store.db, request, contractSha256);
  const { model } = contract;
  if (!place.isFree) {
    await addSignature(deps, { model, version: place.version }, request, actor);
    return place.version;
  }
  if (request.signature === undefined) assertNotNeeded(model, deps.image.authorRoleOf(model));
  const signature = await takeSignature(deps, request, { contract, contractSha256 });
  await checkBlobs(deps, contract);
  return store.transaction(async (trx) => {
    await store.inOrder(trx);
    const { version, isFree } = await findPlace(trx, request, contractSha256);
    if (!isFree) return version;
    const atMs = deps.nowMs();
    await trx
      .insertInto('models')
      .values({ name: model, created_at_ms: atMs })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    await trx
      .insertInto('versions')
      .values({
        model,
        version,
        contract_sha256: contractSha256,
        json_contract: json,
        json_evaluation: null,
        created_at_ms: atMs,
      })
      .execute();
    if (signature !== null) await putSignature(trx, { model, version }, signature, atMs);
    const subject = `${model}/${version}`;
    await audit.record({ actor, action: 'model.import', subject, detail: { contractSha256 } }, trx);
    await events.append(
      { kind: 'model', subject, atMs, summary: `${model} version ${version} imported` },
      trx,
    );
    return version;
  });
}

/** The number this contract has, or the free one it may take. */
async function findPlace(
  db: Kysely<Database>,
  { contract, version: wanted }: CreateVersionRequest,
  contractSha256: string,
): Promise<{ version: number; isFree: boolean }> {
  const { model, lineage } = contract;
  const known = await db
    .selectFrom('versions')
    .select(['version', 'contract_sha256'])
    .where('model', '=', model)
    .orderBy('version')
    .execute();
  const same = known.find(
    (row) => row.contract_sha256 === contractSha256 && (wanted === undefined || row.version === wanted),
  );
  if (same !== undefined) return { version: same.version, isFree: false };
  if (known.some((row) => row.version === wanted)) {
    throw new HoldfastError('version-exists', `${model} has a version ${wanted} with another contract`, {
      hint: 'versions never change: leave the number out, and the next free one is taken',
    });
  }
  const orphan = lineage.parents.find((parent) => !known.some((row) => row.version === parent));
  if (orphan !== undefined) {
    throw new HoldfastError(
      'contract-invalid',
      `lineage.parents names version ${orphan}, which ${model} has not`,
      {
        hint: 'import the parent first, or correct the lineage',
      },
    );
  }
  return { version: wanted ?? (known.at(-1)?.version ?? 0) + 1, isFree: true };
}

async function checkBlobs(deps: ImportDeps, contract: ModelContract): Promise<void> {
  await assertBlob(deps.blobs, 'weights', contract.weights);
  await assertBlob(deps.blobs, 'golden vectors', contract.golden);
  if (contract.weights.sizeBytes > deps.maxModelBytes) {
    throw new HoldfastError('onnx-too-large', `the model has ${contract.weights.sizeBytes} bytes`, {
      hint: `at most ${deps.maxModelBytes} bytes are taken; HOLDFAST_MAX_MODEL_BYTES raises it`,
    });
  }
  const weights = await deps.blobs.bytes(contract.weights.sha256, deps.maxModelBytes);
  const limits = { ...DEFAULT_ONNX_LIMITS, maxBytes: deps.maxModelBytes };
  assertContractMatches(contract, inspectOnnx(weights, limits));
  if (contract.golden.sizeBytes > MAX_GOLDEN_BYTES) {
    throw new HoldfastError('golden-invalid', `the golden vectors have ${contract.golden.sizeBytes} bytes`, {
      hint: `at most ${MAX_GOLDEN_BYTES} bytes are taken; 20 to 50 vectors are enough`,
    });
  }
  inspectGolden(await deps.blobs.bytes(contract.golden.sha256, MAX_GOLDEN_BYTES), contract);
}

async function assertBlob(blobs: BlobStore, what: string, blob: BlobRef): Promise<void> {
  const sizeBytes = await blobs.sizeBytes(blob.sha256);
  if (sizeBytes === null) {
    throw new HoldfastError('not-found', `the ${what} ${blob.sha256} are not uploaded`, {
      hint: `PUT /api/v1/blobs/${blob.sha256} first`,
    });
  }
  if (sizeBytes !== blob.sizeBytes) {
    throw new HoldfastError(
      'length-mismatch',
      `the ${what} have ${sizeBytes} bytes, the contract says ${blob.sizeBytes}`,
      {
        hint: 'make the contract from the very files that are uploaded',
      },
    );
  }
}
