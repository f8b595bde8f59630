// Signs the variants of a version: each gets a release counter, a manifest, and a target in the Image
// repository. INVARIANT: a counter is bound to its variant in the database before any bytes with it exist,
// so that whatever is done again after a crash is done with the same bytes.

import { canonicalJson } from '#protocol/canonical-json.ts';
import type { ModelVersion } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import {
  RELEASE_MANIFEST_SCHEMA,
  releaseManifestSchema,
  releaseTargetPath,
  type ReleaseManifest,
} from '#protocol/release.ts';
import type { Selectable } from 'kysely';
import type { BlobStore } from '../artifacts/blob-store.ts';
import type { Audit } from '../store/audit.ts';
import type { Store } from '../store/database.ts';
import type { LiveEvents } from '../store/live-events.ts';
import type { VariantTable } from '../store/schema.ts';
import { nextCounter } from '../store/settings.ts';
import type { NewTarget } from '../trust/image-repository.ts';
import { getVersion, toleranceOf, variantOf, variantRows } from './store.ts';

export interface SignDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly audit: Audit;
  readonly events: LiveEvents;
  readonly nowMs: () => number;
  readonly image: { addTarget(target: NewTarget): Promise<void> };
}

/** Signs what is not signed yet. Errors: `not-found`, `conflict` when there is no variant. */
export async function signVersion(
  deps: SignDeps,
  model: string,
  number: number,
  actor: string,
): Promise<ModelVersion> {
  const { store } = deps;
  const version = await getVersion(store.db, model, number);
  const rows = await variantRows(store.db, model, number);
  if (rows.length === 0) {
    throw new HoldfastError('conflict', `version ${number} of ${model} has no variants to sign`, {
      hint: `POST /api/v1/models/${model}/versions/${number}/variants makes them`,
    });
  }
  for (const row of rows) {
    if (row.manifest_sha256 === null) await signVariant(deps, version, row, actor);
  }
  return getVersion(store.db, model, number);
}

async function signVariant(
  deps: SignDeps,
  version: ModelVersion,
  row: Selectable<VariantTable>,
  actor: string,
): Promise<void> {
  const { store, blobs, image, audit, events } = deps;
  const releaseCounter = row.release_counter ?? (await takeCounter(store, row));
  const bytes = new TextEncoder().encode(canonicalJson(manifestOf(version, row, releaseCounter)));
  const manifest = await blobs.putBytes(bytes);
  const path = releaseTargetPath(row.model, row.version, row.profile);
  await image.addTarget({ path, bytes, custom: { profile: row.profile, releaseCounter } });
  await store.transaction(async (trx) => {
    const { numUpdatedRows } = await variantUpdate(trx, row)
      .set({ manifest_sha256: manifest.sha256 })
      .where('manifest_sha256', 'is', null)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) return;
    const detail = { manifestSha256: manifest.sha256, releaseCounter };
    await audit.record({ actor, action: 'model.sign', subject: path, detail }, trx);
    await events.append(
      {
        kind: 'model',
        subject: `${row.model}/${row.version}`,
        atMs: deps.nowMs(),
        summary: `${row.model} version ${row.version} signed for ${row.profile} as release ${releaseCounter}`,
      },
      trx,
    );
  });
}

function takeCounter(store: Store, row: Selectable<VariantTable>): Promise<number> {
  return store.transaction(async (trx) => {
    await store.inOrder(trx);
    const [bound] = await variantRows(trx, row.model, row.version, row.profile);
    if (bound?.release_counter != null) return bound.release_counter;
    const counter = await nextCounter(trx, `release-counter:${row.model}`);
    await variantUpdate(trx, row).set({ release_counter: counter }).executeTakeFirstOrThrow();
    return counter;
  });
}

function variantUpdate(trx: Store['db'], row: Selectable<VariantTable>) {
  return trx
    .updateTable('variants')
    .where('model', '=', row.model)
    .where('version', '=', row.version)
    .where('profile', '=', row.profile);
}

function manifestOf(
  version: ModelVersion,
  row: Selectable<VariantTable>,
  releaseCounter: number,
): ReleaseManifest {
  const { weights, precision, recipe, profile } = variantOf(row);
  const { contract } = version;
  return releaseManifestSchema.parse({
    schema: RELEASE_MANIFEST_SCHEMA,
    model: version.model,
    version: version.version,
    profile,
    releaseCounter,
    contract,
    variant: {
      weights,
      precision,
      recipe,
      sourceSha256: contract.weights.sha256,
      tolerance: toleranceOf(row),
    },
  });
}
