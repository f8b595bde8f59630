// Releases the variants of a version, once its authors signed where it comes from: each gets a release counter, a
// manifest, a target in the Image repository, and provenance. INVARIANT: a counter is bound to its variant in the
// database before any bytes with it exist, so that whatever is done again after a crash is done with the same bytes.

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
import type { ImageRepository } from '../trust/image-repository.ts';
import { claimedProvenance, variantProvenance } from './provenance.ts';
import { findAttestation, putAttestation } from './provenance-store.ts';
import { signSource, waitsForPeople, type SignSourceDeps } from './sign-source.ts';
import { getVersion, toleranceOf, variantOf, variantRows } from './store.ts';

export interface SignDeps extends SignSourceDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly audit: Audit;
  readonly events: LiveEvents;
  readonly nowMs: () => number;
  readonly image: SignSourceDeps['image'] &
    Pick<ImageRepository, 'addRelease' | 'hasPipeline' | 'pipelineKey'>;
  /** Of this control plane, for provenance. */
  readonly packageVersion: string;
}

/**
 * Signs what is not signed yet; what waits for people is asked for again by the same call. Errors: `not-found`,
 * `conflict` when there is no variant, `signature-missing`, `signature-invalid`.
 */
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
  const unsigned = rows.filter((row) => row.manifest_sha256 === null);
  await signSource(deps, version);
  if (unsigned.length === 0) return version;
  await putClaimedProvenance(deps, version);
  const waiting: string[] = [];
  for (const row of unsigned) {
    if (!(await signVariant(deps, version, row, actor))) waiting.push(row.profile);
  }
  if (waiting.length === 0) return getVersion(store.db, model, number);
  const what = `version ${number} of ${model} for ${waiting.join(', ')}`;
  throw waitsForPeople(what, deps.image.authorRoleOf(model));
}

/** False while people must sign it: nothing is marked then. */
async function signVariant(
  deps: SignDeps,
  version: ModelVersion,
  row: Selectable<VariantTable>,
  actor: string,
): Promise<boolean> {
  const { store, blobs, image, audit, events, packageVersion } = deps;
  const releaseCounter = row.release_counter ?? (await takeCounter(store, row));
  const bytes = new TextEncoder().encode(canonicalJson(manifestOf(version, row, releaseCounter)));
  const manifest = await blobs.putBytes(bytes);
  const path = releaseTargetPath(row.model, row.version, row.profile);
  const custom = { profile: row.profile, releaseCounter, sourceSha256: version.contractSha256 };
  if (image.target(path) === undefined && (await image.addRelease({ path, bytes, custom })) === 'staged') {
    return false;
  }
  const maker = image.hasPipeline ? { key: image.pipelineKey(), packageVersion } : null;
  const provenance =
    maker === null
      ? null
      : await blobs.putBytes(await variantProvenance(store.db, version, variantOf(row), maker));
  await store.transaction(async (trx) => {
    const { numUpdatedRows } = await variantUpdate(trx, row)
      .set({ manifest_sha256: manifest.sha256 })
      .where('manifest_sha256', 'is', null)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) return;
    if (provenance !== null) {
      const about = {
        model: row.model,
        version: row.version,
        kind: 'provenance',
        profile: row.profile,
      } as const;
      await putAttestation(trx, about, provenance.sha256, deps.nowMs());
    }
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
  return true;
}

/** The control plane's own word for the version, where its author gave none. */
async function putClaimedProvenance(
  { store, blobs, image, nowMs }: SignDeps,
  version: ModelVersion,
): Promise<void> {
  const about = {
    model: version.model,
    version: version.version,
    kind: 'provenance',
    profile: null,
  } as const;
  if (!image.hasPipeline || (await findAttestation(store.db, about)) !== null) return;
  const { sha256 } = await blobs.putBytes(await claimedProvenance(store.db, version, image.pipelineKey()));
  await putAttestation(store.db, about, sha256, nowMs());
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
