// The chain from what a version was made of to its variants, read back and verified link by link: that each signature
// fits a key that may sign it today, and that each link says what the registry holds.

import { isDeepStrictEqual } from 'node:util';
import type { ModelVersion, Variant } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import {
  BUILDERS,
  provenanceStatementSchema,
  type Provenance,
  type ProvenanceItem,
  type ProvenanceStatement,
} from '#protocol/provenance.ts';
import type { TrustKey } from '#protocol/trust.ts';
import type { BlobStore } from '../artifacts/blob-store.ts';
import type { Store } from '../store/database.ts';
import type { AuthorRole, ImageRepository } from '../trust/image-repository.ts';
import { bundleKeyOf } from '../trust/offline/model-signature-key.ts';
import { verifyEnvelope } from '../trust/offline/provenance-envelope.ts';
import { checkSignature, readSignature } from './author-signature.ts';
import { expectedStatement, MAX_PROVENANCE_BYTES } from './provenance.ts';
import { findAttestation } from './provenance-store.ts';
import { getVersion } from './store.ts';

export interface ProvenanceDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly image: Pick<ImageRepository, 'authorRoleOf' | 'hasPipeline' | 'pipelineKey'>;
}

type Signed = NonNullable<Provenance['signature']>;

/** Throws `not-found` for a version that is not there. */
export async function readProvenance(
  deps: ProvenanceDeps,
  model: string,
  number: number,
): Promise<Provenance> {
  const version = await getVersion(deps.store.db, model, number);
  const signers = signersOf(deps, model);
  const signature = await readAuthorSignature(deps, version, signers.role);
  const released = version.variants.filter(({ manifestSha256 }) => manifestSha256 !== null);
  const items: ProvenanceItem[] = [];
  const missing: string[] = [];
  const ofVersion = await readItem(deps, version, null, signers);
  if (ofVersion !== null) items.push(ofVersion);
  else if (released.length > 0) missing.push(`${model} ${number} was released without provenance`);
  for (const variant of released) {
    const item = await readItem(deps, version, variant, signers);
    if (item === null) missing.push(`the variant for ${variant.profile} was released without provenance`);
    else items.push(item);
  }
  for (const parent of version.contract.lineage.parents) {
    const about = { model, version: parent, kind: 'provenance', profile: null } as const;
    if ((await findAttestation(deps.store.db, about)) === null) {
      missing.push(`its parent ${model} ${parent} has no provenance`);
    }
  }
  const { role, threshold, authorSignature } = signers.role;
  return { authors: { role, threshold, authorSignature }, signature, items, missing };
}

interface Signers {
  readonly role: AuthorRole;
  readonly controlPlane: readonly TrustKey[];
}

function signersOf({ image }: ProvenanceDeps, model: string): Signers {
  const controlPlane = image.hasPipeline ? [image.pipelineKey().trustKey] : [];
  return { role: image.authorRoleOf(model), controlPlane };
}

async function readAuthorSignature(
  { store, blobs }: ProvenanceDeps,
  version: ModelVersion,
  role: AuthorRole,
): Promise<Signed | null> {
  const about = {
    model: version.model,
    version: version.version,
    kind: 'author-signature',
    profile: null,
  } as const;
  const sha256 = await findAttestation(store.db, about);
  if (sha256 === null) return null;
  return await judged(sha256, async () => {
    const bundle = await readSignature(blobs, sha256);
    const key = role.keys.find((one) => bundleKeyOf(one).hint === hintIn(bundle));
    checkSignature(bundle, version, role);
    return { keyId: key?.keyId ?? null, owner: key?.owner ?? '', signer: 'author' };
  });
}

/** Null when there is none. */
async function readItem(
  deps: ProvenanceDeps,
  version: ModelVersion,
  variant: Variant | null,
  { role, controlPlane }: Signers,
): Promise<ProvenanceItem | null> {
  const { store, blobs } = deps;
  const profile = variant?.profile ?? null;
  const about = { model: version.model, version: version.version, kind: 'provenance', profile } as const;
  const sha256 = await findAttestation(store.db, about);
  if (sha256 === null) return null;
  let statement: ProvenanceStatement | null = null;
  const signed = await judged(sha256, async () => {
    const bytes = await blobs.bytes(sha256, MAX_PROVENANCE_BYTES);
    const envelope: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const keys = variant === null ? [...role.keys, ...controlPlane] : controlPlane;
    const verified = verifyEnvelope(envelope, keys);
    const { key } = verified;
    statement = provenanceStatementSchema.parse(verified.statement);
    const isControlPlane = controlPlane.some(({ keyId }) => keyId === key.keyId);
    await (variant === null
      ? assertVersionLink(deps, statement, version, isControlPlane)
      : assertVariantLink(statement, version, variant));
    return { keyId: key.keyId, owner: key.owner, signer: isControlPlane ? 'control-plane' : 'author' };
  });
  return { ...signed, profile, statement };
}

async function assertVersionLink(
  { store }: ProvenanceDeps,
  statement: ProvenanceStatement,
  version: ModelVersion,
  isControlPlane: boolean,
): Promise<void> {
  const expected = await expectedStatement(store.db, version, isControlPlane ? 'claimed' : 'author');
  if (!isDeepStrictEqual(statement, expected)) throw broken('it says other than the contract of the version');
}

function assertVariantLink(
  { subject, predicate }: ProvenanceStatement,
  { contract }: ModelVersion,
  { weights }: Variant,
): void {
  const { buildDefinition, runDetails } = predicate;
  const source = buildDefinition.resolvedDependencies.find(({ name }) => name === 'source');
  if (subject[0]?.digest.sha256 !== weights.sha256)
    throw broken('it is about other weights than the variant has');
  if (source?.digest.sha256 !== contract.weights.sha256)
    throw broken('it was made of other weights than the version has');
  if (runDetails.builder.id !== BUILDERS.controlPlane)
    throw broken(`it names ${runDetails.builder.id} as its maker`);
}

async function judged(
  sha256: string,
  check: () => Promise<Pick<Signed, 'keyId' | 'owner' | 'signer'>>,
): Promise<Signed> {
  try {
    return { sha256, ...(await check()), verified: true, problem: null };
  } catch (error) {
    const problem = error instanceof HoldfastError ? error.message : 'it cannot be read';
    return {
      sha256,
      keyId: null,
      owner: '',
      signer: null,
      verified: false,
      problem: problem.slice(0, 1_000),
    };
  }
}

function broken(what: string): HoldfastError {
  return new HoldfastError('signature-invalid', what);
}

function hintIn(bundle: unknown): unknown {
  return (bundle as { verificationMaterial?: { publicKey?: { hint?: unknown } } } | null)
    ?.verificationMaterial?.publicKey?.hint;
}
