// Who stands behind a release, by the role of the Image repository that holds it. Pure. Invariants: a release counts
// when an author role holds it, or when the pipeline does and names a source that an author role holds; nothing is
// installed from any other role; the highest of the authors' floors holds, of counters and of versions. Source: Uptane Standard 2.1, 5.4.4.2.

import { HoldfastError } from '#protocol/errors.ts';
import { sha256Schema } from '#protocol/identifiers.ts';
import type { BlobRef } from '#protocol/identifiers.ts';
import { imageCustomSchema } from '#protocol/release.ts';
import type { ImageCustom } from '#protocol/release.ts';
import {
  PIPELINE_ROLE,
  authorFieldsSchema,
  authorSignatureCustomSchema,
  authorSignatureTargetPath,
  isAuthorRole,
  sourceCustomSchema,
  sourceTargetPath,
  trustKeySchema,
} from '#protocol/trust.ts';
import type { AskedSignature, VerifiedOrder } from '../ports/release-verifier.ts';
import type { TrustedTargets } from './tuf-client.ts';
import type { FoundTarget } from './tuf-internals.ts';
import { belowFloor, mismatch, readSigned } from './tuf-refusals.ts';

const RELEASE_PATH = /^([^/]{1,63})\/([1-9][0-9]{0,9})\/([^/]{1,63})\.json$/;
const MAX_SIGNATURE_BYTES = 262_144;

export interface ReleaseName {
  readonly path: string;
  readonly model: string;
  readonly version: number;
  readonly profile: string;
}

/** What a refresh of the Image repository found. */
export type ImageWords = Pick<TrustedTargets, 'targets' | 'found'>;
type Authorship = Pick<VerifiedOrder, 'floor' | 'sourceSha256' | 'authorSignature'>;

/** Null for a path that no release has. */
export function releaseNameOf(path: string): ReleaseName | null {
  const [, model, version, profile] = RELEASE_PATH.exec(path) ?? [];
  if (model === undefined || profile === undefined) return null;
  return { path, model, version: Number(version), profile };
}

/** What must be looked up in the Image repository before a release can be judged. */
export function pathsToFind({ path, model, version }: ReleaseName): string[] {
  return [path, sourceTargetPath(model, version), authorSignatureTargetPath(model, version)];
}

/** The role's own word on a release; errors: `tuf-mismatch` when nobody who may sign it has. */
export function signedRelease({ path }: ReleaseName, image: ImageWords): FoundTarget {
  const release = image.found.get(path);
  if (release === undefined) throw mismatch(`the Director orders ${path}, which no author signed`);
  const { role } = release;
  if (role !== null && (isAuthorRole(role) || role === PIPELINE_ROLE)) return release;
  throw mismatch(
    `${path} is signed by ${role ?? 'a role that targets does not name'}, which signs no releases`,
  );
}

/** Errors: `tuf-mismatch` without an author behind the release, `tuf-below-floor`, `signature-missing`. */
export function authorshipOf(name: ReleaseName, release: FoundTarget, image: ImageWords): Authorship {
  const custom = readSigned('Image', () => imageCustomSchema.parse(release.target.custom));
  const source = signedSource(name, image);
  assertBound(name, release, custom, source);
  const authors = [release, source].filter(
    (found): found is FoundTarget => found !== null && isAuthorRole(found.role ?? ''),
  );
  const fields = [image.targets, ...authors.map(({ signed }) => signed)].map(fieldsOf);
  const highest = (of: 'floors' | 'lowestVersions') =>
    Math.max(...fields.map((said) => ownValue(said[of], name.model) ?? 0));
  const lowestVersion = highest('lowestVersions');
  if (name.version < lowestVersion) {
    throw belowFloor(
      `version ${name.version} of ${name.model} is below ${lowestVersion}, the lowest allowed`,
    );
  }
  return {
    floor: highest('floors'),
    sourceSha256: source === null ? null : blobOf(source).sha256,
    authorSignature: askedSignature(name, source ?? release, source !== null, image),
  };
}

/** The version's source where an author role holds it; whatever another role says under its path does not count. */
function signedSource({ model, version }: ReleaseName, image: ImageWords): FoundTarget | null {
  const source = image.found.get(sourceTargetPath(model, version));
  if (source === undefined || !isAuthorRole(source.role ?? '')) return null;
  readSigned('Image', () => sourceCustomSchema.parse(source.target.custom));
  return source;
}

function assertBound(
  { path }: ReleaseName,
  { role }: FoundTarget,
  { sourceSha256 }: ImageCustom,
  source: FoundTarget | null,
): void {
  if (sourceSha256 === undefined) {
    if (role !== PIPELINE_ROLE) return;
    throw mismatch(`the pipeline does not say what ${path} was made from`);
  }
  if (source === null) throw mismatch(`${path} is made from a source that no author signed`);
  if (blobOf(source).sha256 !== sourceSha256) {
    throw mismatch(`${path} is made from another source than authors signed for this version`);
  }
}

function askedSignature(
  { path, model, version }: ReleaseName,
  author: FoundTarget,
  hasSource: boolean,
  image: ImageWords,
): AskedSignature | null {
  const role = author.role ?? '';
  if (ownValue(fieldsOf(image.targets).authorSignatures, role) !== 'device') return null;
  const signature = image.found.get(authorSignatureTargetPath(model, version));
  if (!hasSource || signature?.role !== role) {
    throw new HoldfastError('signature-missing', `${path} comes without its authors' signature`, {
      hint: `Sign the version with a key of ${role}, or let devices of its models ask for no signature.`,
    });
  }
  readSigned('Image', () => authorSignatureCustomSchema.parse(signature.target.custom));
  const bundle = blobOf(signature);
  if (bundle.sizeBytes > MAX_SIGNATURE_BYTES) {
    throw mismatch(`the authors' signature of ${path} is longer than ${MAX_SIGNATURE_BYTES} bytes`);
  }
  const keys = signature.keys.flatMap(({ keyID: keyId, scheme, keyVal }) => {
    const key = trustKeySchema.safeParse({ keyId, scheme, public: keyVal.public });
    return key.success ? [key.data] : [];
  });
  return { bundle, keys };
}

function fieldsOf({ unrecognizedFields }: FoundTarget['signed']) {
  return readSigned('Image', () => authorFieldsSchema.parse(unrecognizedFields.holdfast ?? {}));
}

function ownValue<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function blobOf({ target }: FoundTarget): BlobRef {
  const sha256 = sha256Schema.safeParse(target.hashes.sha256);
  if (!sha256.success || target.length < 1) throw mismatch(`${target.path} has no usable digest and length`);
  return { sha256: sha256.data, sizeBytes: target.length };
}
