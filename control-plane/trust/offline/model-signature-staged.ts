// An author's signature on staged metadata without reading it line by line: only where all that changes is the source of
// the one version she signs, and the version before carries her own signature. Everything else is for `trust sign`,
// which shows it.

import type { KeyObject } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { authorSignatureTargetPath, sourceTargetPath } from '#protocol/trust.ts';
import type { StagedRole, TrustSignature } from '#protocol/trust.ts';
import { RoleKey } from '../keys/role-key.ts';
import { isSignedBefore, signedBefore, signStaged } from './sign-staged.ts';

export interface StagedSource {
  readonly model: string;
  readonly version: number;
  readonly contractSha256: string;
  /** Of the bundle's canonical JSON. */
  readonly signatureSha256: string;
}

const targetsSchema = z.record(
  z.string(),
  z.object({ hashes: z.object({ sha256: z.string() }), custom: z.record(z.string(), z.json()) }),
);

/** Errors: `signature-invalid` when there is more to read than the version, `key-invalid`. */
export function signStagedSource(
  staged: StagedRole,
  source: StagedSource,
  privateKey: KeyObject,
): TrustSignature {
  const { role } = staged;
  const key = new RoleKey(privateKey).trustKey;
  if (staged.before !== null && !isSignedBefore(staged, key)) {
    throw toRead(role, 'the version of it before this one carries other signatures than yours');
  }
  const before = signedBefore(staged);
  const { spec_version } = staged.signed;
  const unchanged = before === null ? { _type: 'targets', spec_version, holdfast: { role } } : rest(before);
  if (!isDeepStrictEqual(rest(staged.signed), unchanged)) {
    throw toRead(role, 'more than the targets of the version changes in it');
  }
  const old = targetsOf(before ?? {});
  const next = targetsOf(staged.signed);
  const gone = Object.keys(old).find((path) => !Object.hasOwn(next, path));
  if (gone !== undefined) throw toRead(role, `${gone} is not in it any more`);
  for (const [path, { hashes, custom }] of Object.entries(next)) {
    if (Object.hasOwn(old, path) && isDeepStrictEqual(old[path], next[path])) continue;
    const expected = expectedAt(path, source);
    if (hashes.sha256 !== expected?.sha256 || !isDeepStrictEqual(custom, { kind: expected.kind })) {
      throw toRead(role, `${path} is new or changed in it`);
    }
  }
  return signStaged(staged, privateKey);
}

function expectedAt(
  path: string,
  { model, version, contractSha256, signatureSha256 }: StagedSource,
): { readonly sha256: string; readonly kind: string } | null {
  if (path === sourceTargetPath(model, version)) return { sha256: contractSha256, kind: 'source' };
  if (path !== authorSignatureTargetPath(model, version)) return null;
  return { sha256: signatureSha256, kind: 'author-signature' };
}

function targetsOf({ targets = {} }: Readonly<Record<string, unknown>>) {
  return targetsSchema.parse(targets);
}

/** What of a document a new target does not touch. */
function rest(document: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { version: _version, expires: _expires, targets: _targets, ...others } = document;
  return others;
}

function toRead(role: string, why: string): HoldfastError {
  return new HoldfastError('signature-invalid', `the staged ${role} is not signed unread: ${why}`, {
    hint: `\`holdfast trust sign ${role} --key FILE\` shows all of it; then ask for the release again`,
  });
}
