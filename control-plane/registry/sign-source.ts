// Has the authors of a model sign a version's source: its contract and, where there is one, their OpenSSF signature, as
// targets of their role. Invariant: nothing is released before that is published.

import type { ModelVersion } from '#protocol/api.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { authorSignatureTargetPath, sourceTargetPath } from '#protocol/trust.ts';
import type { BlobStore } from '../artifacts/blob-store.ts';
import type { Store } from '../store/database.ts';
import type { AuthorRole, ImageRepository, NewTarget } from '../trust/image-repository.ts';
import { assertNotNeeded, checkSignature, MAX_SIGNATURE_BYTES } from './author-signature.ts';
import { findAttestation } from './provenance-store.ts';

export interface SignSourceDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly image: Pick<ImageRepository, 'addAuthorTargets' | 'authorRoleOf' | 'target'>;
}

/** Errors: `signature-missing` while people must sign, or by policy; `signature-invalid`. */
export async function signSource(deps: SignSourceDeps, version: ModelVersion): Promise<void> {
  const { blobs, image } = deps;
  const { model, version: number } = version;
  const role = image.authorRoleOf(model);
  const bytes = new TextEncoder().encode(canonicalJson(version.contract));
  await blobs.putBytes(bytes);
  const path = sourceTargetPath(model, number);
  const source: Target = { path, bytes, custom: { kind: 'source' } };
  const signature = await signatureTarget(deps, version, role);
  const targets = signature === null ? [source] : [source, signature];
  const waiting = targets.filter((target) => image.target(target.path) === undefined);
  if (waiting.length === 0) return;
  if ((await image.addAuthorTargets(model, targets)) === 'published') return;
  throw waitsForPeople(`version ${number} of ${model}`, role);
}

/** What the release of a version or a variant waits for. */
export function waitsForPeople(what: string, { role, threshold, keys }: AuthorRole): HoldfastError {
  return new HoldfastError(
    'signature-missing',
    `${what} waits for signatures of ${role}: ${threshold} of its ${keys.length} keys must sign it`,
    { hint: `people of ${role} run \`holdfast trust sign ${role} --key FILE\`; then ask for the same again` },
  );
}

type Target = Extract<NewTarget, { bytes: unknown }>;

/** Null when there is no signature and none is asked for. */
async function signatureTarget(
  { store, blobs }: SignSourceDeps,
  version: ModelVersion,
  role: AuthorRole,
): Promise<Target | null> {
  const { model, version: number } = version;
  const about = { model, version: number, kind: 'author-signature', profile: null } as const;
  const sha256 = await findAttestation(store.db, about);
  if (sha256 === null) {
    assertNotNeeded(model, role);
    return null;
  }
  const bytes = await blobs.bytes(sha256, MAX_SIGNATURE_BYTES);
  checkSignature(JSON.parse(new TextDecoder().decode(bytes)), version, role);
  return { path: authorSignatureTargetPath(model, number), bytes, custom: { kind: 'author-signature' } };
}
