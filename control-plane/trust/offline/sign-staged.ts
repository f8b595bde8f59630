// What a person signs with her own key, on her own machine: the bytes of staged metadata, read and written as every
// verifier does. Invariant: nothing is signed that this version of Holdfast would not show whole.
// Source: TUF 1.0.33, section 4.2 (canonical JSON, signatures).

import type { KeyObject } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Metadata, MetadataKind } from '@tufjs/models';
import type { Root, Targets } from '@tufjs/models';
import { HoldfastError } from '#protocol/errors.ts';
import type { StagedRole, TrustKey, TrustSignature } from '#protocol/trust.ts';
import { RoleKey, tufKey } from '../keys/role-key.ts';

type Signed = StagedRole['signed'];

/**
 * Errors: `key-invalid` for a key that the role does not ask for, `signature-invalid` for a document that cannot be
 * read whole, or that is not the next version of what is published.
 */
export function signStaged(staged: StagedRole, privateKey: KeyObject): TrustSignature {
  const key = new RoleKey(privateKey);
  if (!staged.needs.some(({ keyIds }) => keyIds.includes(key.keyId))) {
    throw new HoldfastError('key-invalid', `${staged.role} does not ask for key ${key.keyId}`, {
      hint: `it asks for ${staged.needs.flatMap(({ keyIds }) => keyIds).join(', ')}`,
    });
  }
  assertNext(staged);
  assertNamed(staged);
  const metadata = metadataOf(staged.role, { signed: staged.signed, signatures: [] });
  if (!isDeepStrictEqual(metadata.signed.toJSON(), staged.signed)) {
    throw unreadable(staged.role, 'holds more than this version of Holdfast knows');
  }
  metadata.sign((bytes) => key.sign(bytes));
  return { keyid: key.keyId, sig: metadata.signatures[key.keyId]?.sig ?? '' };
}

/** Whether this key signed the published version: then what differs from it is all there is to read. */
export function isSignedBefore({ role, before }: StagedRole, key: TrustKey): boolean {
  if (before === null) return false;
  try {
    tufKey(key).verifySignature(metadataOf(role, before));
    return true;
  } catch {
    return false;
  }
}

/** The `signed` part of the published metadata; null before its first version. */
export function signedBefore({ role, before }: StagedRole): Signed | null {
  return before === null ? null : metadataOf(role, before).signed.toJSON();
}

/** What names another role or repository would be good there. */
function assertNamed({ repository, role, signed }: StagedRole): void {
  const named = signed['holdfast'] as { role?: unknown; repository?: unknown } | null | undefined;
  const { role: ofRole = role, repository: ofRepository = repository } = named ?? {};
  if (ofRole !== role || ofRepository !== repository)
    throw unreadable(role, 'names another role or repository');
}

function assertNext(staged: StagedRole): void {
  const before = signedBefore(staged);
  const { role, version, signed } = staged;
  if (signed.version !== version || version !== Number(before?.version ?? 0) + 1) {
    throw unreadable(role, `does not follow the version that is published`);
  }
}

function metadataOf(role: string, json: unknown): Metadata<Root> | Metadata<Targets> {
  try {
    const document = json as Parameters<typeof Metadata.fromJSON>[1];
    return role === 'root'
      ? Metadata.fromJSON(MetadataKind.Root, document)
      : Metadata.fromJSON(MetadataKind.Targets, document);
  } catch (cause) {
    throw unreadable(role, 'is not well formed', cause);
  }
}

function unreadable(role: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('signature-invalid', `the staged ${role} ${what}`, {
    hint: 'do not sign it; find out who made it, and with which version of Holdfast',
    cause,
  });
}
