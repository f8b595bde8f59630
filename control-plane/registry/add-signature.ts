// Takes in the authors' signature of a version, with the provenance they signed: at import, or later.

import type { Kysely } from 'kysely';
import type { ModelVersion } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { SignedVersion } from '#protocol/model-signing.ts';
import type { BlobStore } from '../artifacts/blob-store.ts';
import type { Audit } from '../store/audit.ts';
import type { Store } from '../store/database.ts';
import type { LiveEvents } from '../store/live-events.ts';
import type { Database } from '../store/schema.ts';
import type { ImageRepository } from '../trust/image-repository.ts';
import { checkSignature, isStillRight } from './author-signature.ts';
import { checkAuthorProvenance } from './provenance.ts';
import { findAttestation, putAttestation } from './provenance-store.ts';
import { getVersion } from './store.ts';

export interface SignatureDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly audit: Audit;
  readonly events: LiveEvents;
  readonly nowMs: () => number;
  readonly image: Pick<ImageRepository, 'authorRoleOf' | 'target'>;
}

/** What an author hands over; nobody has checked it. */
export interface GivenSignature {
  readonly signature?: unknown;
  readonly provenance?: unknown;
}

/** Stored blobs that are not yet said to be a version's. */
export interface CheckedSignature {
  readonly signatureSha256: string;
  readonly provenanceSha256: string | null;
}

/** Checks and stores the bytes; null when no signature was given. Errors: `signature-invalid`. */
export async function takeSignature(
  { store, blobs, image }: SignatureDeps,
  { signature, provenance }: GivenSignature,
  version: SignedVersion,
): Promise<CheckedSignature | null> {
  if (signature === undefined) {
    if (provenance === undefined) return null;
    throw new HoldfastError('signature-invalid', 'provenance was given without a signature', {
      hint: 'give both, as `holdfast model sign` makes them',
    });
  }
  const role = image.authorRoleOf(version.contract.model);
  const bytes = checkSignature(signature, version, role);
  const envelope =
    provenance === undefined ? null : await checkAuthorProvenance(store.db, provenance, version, role);
  const stored = envelope === null ? null : await blobs.putBytes(envelope);
  return { signatureSha256: (await blobs.putBytes(bytes)).sha256, provenanceSha256: stored?.sha256 ?? null };
}

export async function putSignature(
  trx: Kysely<Database>,
  { model, version }: { readonly model: string; readonly version: number },
  { signatureSha256, provenanceSha256 }: CheckedSignature,
  atMs: number,
): Promise<void> {
  const about = { model, version, profile: null };
  await putAttestation(trx, { ...about, kind: 'author-signature' }, signatureSha256, atMs);
  if (provenanceSha256 === null) return;
  await putAttestation(trx, { ...about, kind: 'provenance' }, provenanceSha256, atMs);
}

/** A version that has a right signature keeps it. Errors: `not-found`, `signature-invalid`. */
export async function addSignature(
  deps: SignatureDeps,
  { model, version: number }: { readonly model: string; readonly version: number },
  given: GivenSignature,
  actor: string,
): Promise<ModelVersion> {
  const { store, image, audit, events, nowMs } = deps;
  const version = await getVersion(store.db, model, number);
  const checked = await takeSignature(deps, given, version);
  const about = { model, version: number, kind: 'author-signature', profile: null } as const;
  const present = await findAttestation(store.db, about);
  const keeps = present !== null && (await isStillRight(deps, present, version, image.authorRoleOf(model)));
  if (checked === null || keeps) return version;
  await store.transaction(async (trx) => {
    await store.inOrder(trx);
    const atMs = nowMs();
    await putSignature(trx, version, checked, atMs);
    const subject = `${model}/${number}`;
    const detail = { signatureSha256: checked.signatureSha256 };
    await audit.record({ actor, action: 'model.author-signature', subject, detail }, trx);
    const summary = `${model} version ${number} carries its authors' signature`;
    await events.append({ kind: 'model', subject, atMs, summary }, trx);
  });
  return version;
}
