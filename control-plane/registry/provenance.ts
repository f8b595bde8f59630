// Makes and checks the signed provenance of versions and variants. Invariant: of a version nothing is signed or taken
// but what follows from its contract and its parents' weights.

import { isDeepStrictEqual } from 'node:util';
import type { Kysely } from 'kysely';
import type { ModelVersion, Variant } from '#protocol/api.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { SignedVersion } from '#protocol/model-signing.ts';
import { variantStatement, versionStatement, type ProvenanceStatement } from '#protocol/provenance.ts';
import type { Database } from '../store/schema.ts';
import type { AuthorRole } from '../trust/image-repository.ts';
import type { RoleKey } from '../trust/keys/role-key.ts';
import { signEnvelope, verifyEnvelope } from '../trust/offline/provenance-envelope.ts';
import { calibrationOf } from './provenance-store.ts';
import { getVersion } from './store.ts';

type Rows = Kysely<Database>;

/** Largest envelope that is taken, as canonical JSON. */
export const MAX_PROVENANCE_BYTES = 1024 ** 2;

/** Bytes of an envelope by an author, as they are stored. Errors: `signature-invalid`. */
export async function checkAuthorProvenance(
  db: Rows,
  envelope: unknown,
  version: SignedVersion,
  { keys }: AuthorRole,
): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(canonicalJson(envelope));
  const { statement } = verifyEnvelope(envelope, keys);
  if (bytes.length <= MAX_PROVENANCE_BYTES) {
    if (isDeepStrictEqual(statement, await expectedStatement(db, version, 'author'))) return bytes;
  }
  throw new HoldfastError('signature-invalid', 'the provenance says other than the contract of the version', {
    hint: 'let `holdfast model sign` or `holdfast model import --sign-key` make it',
  });
}

/** What the contract claims of the version. Errors: `not-found` for a parent that is gone. */
export async function expectedStatement(
  db: Rows,
  { contract, contractSha256 }: SignedVersion,
  builder: 'author' | 'claimed',
): Promise<ProvenanceStatement> {
  const parents = new Map<number, string>();
  for (const parent of contract.lineage.parents) {
    parents.set(parent, (await getVersion(db, contract.model, parent)).contract.weights.sha256);
  }
  return versionStatement({ contract, contractSha256, parents }, builder);
}

/** The control plane's word for what the contract claims. */
export async function claimedProvenance(db: Rows, version: SignedVersion, key: RoleKey): Promise<Uint8Array> {
  return envelopeBytes(await expectedStatement(db, version, 'claimed'), key);
}

/** The control plane's word for how it made a variant. */
export async function variantProvenance(
  db: Rows,
  { model, version, contract }: ModelVersion,
  variant: Variant,
  { key, packageVersion }: { readonly key: RoleKey; readonly packageVersion: string },
): Promise<Uint8Array> {
  const made = {
    model,
    version,
    packageVersion,
    profile: variant.profile,
    recipe: variant.recipe,
    weightsSha256: variant.weights.sha256,
    sourceSha256: contract.weights.sha256,
    calibrationSha256: await calibrationOf(db, model, version, variant),
    evaluationSha256: variant.evaluation?.datasetSha256 ?? null,
  };
  return envelopeBytes(variantStatement(made), key);
}

function envelopeBytes(statement: ProvenanceStatement, { privateKey }: RoleKey): Uint8Array {
  const encoder = new TextEncoder();
  const envelope = signEnvelope(encoder.encode(canonicalJson(statement)), privateKey);
  return encoder.encode(canonicalJson(envelope));
}
