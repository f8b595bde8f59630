// A role that waits for signatures, as people fetch it, and the check of what they send back. Pure.

import { isDeepStrictEqual } from 'node:util';
import { HoldfastError } from '#protocol/errors.ts';
import type { Repository, StagedRole, TrustSignature } from '#protocol/trust.ts';
import { authorityOf, type Authority, type SignedDocument } from './documents.ts';
import { authorityFor, type RolesState, type Staged } from './image-plan.ts';
import { isSignedBy } from './keys/role-key.ts';
import type { JsonObject } from './keys/signed-bytes.ts';
import { bytesToSign, signersAmong } from './signatures.ts';

interface Need {
  readonly by: 'previous' | 'own';
  readonly authority: Authority;
}

/** Errors: `not-found`. */
export function stagedView(repository: Repository, state: RolesState, role: string): StagedRole {
  const { signed, signatures } = entryOf(state, role);
  const before = role === 'root' ? state.root : state.published.get(role);
  return {
    repository,
    role,
    version: signed.version,
    signed: jsonOf(signed),
    before:
      before === undefined
        ? null
        : { signed: jsonOf(before.signed), signatures: before.signatures.map(copy) },
    signatures: [...signatures],
    needs: needsOf(state, role).map(({ by, authority }) => ({
      by,
      threshold: authority.threshold,
      keyIds: authority.keys.map(({ keyId }) => keyId),
      signedBy: signersAmong(authority, signatures),
    })),
  };
}

/** How many people must sign still; a key that both roots name counts for both. */
export function missingSignatures(state: RolesState, role: string): number {
  const { signatures } = entryOf(state, role);
  const needs = needsOf(state, role).map(({ authority }) => {
    const signed = signersAmong(authority, signatures);
    const open = authority.keys.map(({ keyId }) => keyId).filter((keyId) => !signed.includes(keyId));
    return { missing: Math.max(0, authority.threshold - signed.length), open };
  });
  const shared = (needs[0]?.open ?? []).filter((keyId) => needs.every(({ open }) => open.includes(keyId)));
  const [least, ...more] = needs.map(({ missing }) => missing).toSorted((a, b) => a - b);
  const both = more.length === 0 ? 0 : Math.min(least ?? 0, shared.length);
  return needs.reduce((sum, { missing }) => sum + missing, 0) - both;
}

/** The signature, found right. Errors: `not-found`, `signature-invalid`, `conflict` for one that came before. */
export function checkedSignature(state: RolesState, role: string, signature: TrustSignature): TrustSignature {
  const { signed, signatures } = entryOf(state, role);
  const { keyid, sig } = signature;
  const keys = needsOf(state, role).flatMap(({ authority }) => authority.keys);
  const key = keys.find(({ keyId }) => keyId === keyid);
  if (key === undefined) {
    throw new HoldfastError('signature-invalid', `${keyid} is no key that must sign ${role}`, {
      hint: `These keys may: ${[...new Set(keys.map(({ keyId }) => keyId))].join(', ')}`,
    });
  }
  if (signatures.some((kept) => kept.keyid === keyid)) {
    throw new HoldfastError('conflict', `${keyid} has signed version ${signed.version} of ${role} already`, {
      hint: 'Somebody with another key signs next.',
    });
  }
  if (isSignedBy(key, bytesToSign(signed), sig)) return { keyid, sig };
  const before = role === 'root' ? state.root : state.published.get(role);
  if (before !== undefined && isSignedBy(key, bytesToSign(before.signed), sig)) {
    throw new HoldfastError(
      'conflict',
      `the signature is of version ${before.signed.version} of ${role}, which is published; ${signed.version} waits`,
      { hint: 'Fetch what waits now and sign that.' },
    );
  }
  throw new HoldfastError('signature-invalid', `the signature of ${keyid} is not of what waits for ${role}`, {
    hint: 'It may have changed since it was fetched: fetch it again, look at it and sign it.',
  });
}

function needsOf(state: RolesState, role: string): Need[] {
  const own = authorityFor(state, role);
  const previous = role === 'root' ? authorityOf(state.root.signed, 'root') : null;
  const needs: Need[] = own === null ? [] : [{ by: 'own', authority: own }];
  if (previous === null || isDeepStrictEqual(previous, own)) return needs;
  return [{ by: 'previous', authority: previous }, ...needs];
}

function entryOf(state: RolesState, role: string): Staged {
  const entry = state.staged.get(role);
  if (entry !== undefined) return entry;
  throw new HoldfastError('not-found', `no ${role} waits for signatures`, {
    hint: '`holdfast trust status` shows what waits.',
  });
}

function jsonOf(signed: SignedDocument): JsonObject {
  return signed as JsonObject;
}

function copy({ keyid, sig }: TrustSignature): { keyid: string; sig: string } {
  return { keyid, sig };
}
