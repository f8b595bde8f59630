// What may be signed into the Image repository under which path, and with what beside it. Pure.

import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { modelNameSchema, profileNameSchema, sha256Schema } from '#protocol/identifiers.ts';
import { isMeasureTargetPath, measureCustomSchema, type MeasureCustom } from '#protocol/measurement.ts';
import { imageCustomSchema, type ImageCustom } from '#protocol/release.ts';
import { authorSignatureCustomSchema, sourceCustomSchema } from '#protocol/trust.ts';
import type { TargetEntry, TargetsDocument } from './documents.ts';
import { entryIn } from './delegations.ts';
import type { JsonObject } from './keys/signed-bytes.ts';

type SourceCustom = z.infer<typeof sourceCustomSchema>;
type AuthorSignatureCustom = z.infer<typeof authorSignatureCustomSchema>;

/**
 * A release, a version's source or its authors' signature, or under `<model>/<version>/candidates/` what devices may
 * time and never serve.
 */
export type NewTarget = {
  readonly path: string;
  readonly custom: ImageCustom | MeasureCustom | SourceCustom | AuthorSignatureCustom;
} & ({ readonly bytes: Uint8Array } | { readonly length: number; readonly sha256: string });

export type TargetKind = 'release' | 'source' | 'author-signature' | 'measurement';

const SOURCE_PATH = /^[^/]+\/[1-9][0-9]{0,9}\/source\/(contract|signature)\.json$/;
const RELEASE_PATH = /^[^/]+\/[1-9][0-9]{0,9}\/([^/]+)\.json$/;
const SCHEMAS = {
  release: imageCustomSchema,
  source: sourceCustomSchema,
  'author-signature': authorSignatureCustomSchema,
  measurement: measureCustomSchema,
};
const BESIDE = {
  release: 'profile and release counter',
  source: 'kind',
  'author-signature': 'kind',
  measurement: 'profile and purpose to measure',
};

/** Null for what is no path of a target. */
export function kindOfPath(path: string): TargetKind | null {
  if (!modelNameSchema.safeParse(modelOfPath(path)).success) return null;
  if (isMeasureTargetPath(path)) return 'measurement';
  const source = SOURCE_PATH.exec(path)?.[1];
  if (source !== undefined) return source === 'contract' ? 'source' : 'author-signature';
  return profileNameSchema.safeParse(RELEASE_PATH.exec(path)?.[1]).success ? 'release' : null;
}

export function modelOfPath(path: string): string {
  return path.slice(0, path.indexOf('/'));
}

/** The entry to sign. Errors: `bad-request`, also for a target that is none of these kinds. */
export function entryOf(target: NewTarget, kinds: readonly TargetKind[]): TargetEntry {
  const kind = kindOfPath(target.path);
  if (kind === null || !kinds.includes(kind)) {
    throw new HoldfastError('bad-request', `${target.path} is no path of a ${kinds.join(' or a ')}`, {
      hint: 'A release is <model>/<version>/<profile>.json.',
    });
  }
  const { length, sha256 } =
    'bytes' in target
      ? { length: target.bytes.length, sha256: createHash('sha256').update(target.bytes).digest('hex') }
      : target;
  if (!Number.isSafeInteger(length) || length < 0 || !sha256Schema.safeParse(sha256).success) {
    throw new HoldfastError('bad-request', `${target.path} has no usable length and sha256`);
  }
  const custom = SCHEMAS[kind].safeParse(target.custom);
  if (!custom.success) {
    throw new HoldfastError('bad-request', `${target.path} has no usable ${BESIDE[kind]}`, {
      cause: custom.error,
    });
  }
  return { length, hashes: { sha256 }, custom: { ...(custom.data as JsonObject) } };
}

/**
 * The document with the target in it; the same document when it is there already. Errors: `version-exists` when
 * any role, also one that is trusted no more, has other bytes under the path.
 */
export function withTarget(
  roles: ReadonlyMap<string, TargetsDocument>,
  document: TargetsDocument,
  path: string,
  entry: TargetEntry,
): TargetsDocument {
  for (const other of [...roles.values(), document]) {
    const present = entryIn(other, path);
    if (present === undefined || isDeepStrictEqual(present, entry)) continue;
    throw new HoldfastError('version-exists', `${path} is signed already, with other bytes`, {
      hint: 'Signed targets never change; make a new version.',
    });
  }
  if (entryIn(document, path) !== undefined) return document;
  return { ...document, targets: { ...document.targets, [path]: entry } };
}
