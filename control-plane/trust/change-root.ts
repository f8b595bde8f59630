// Changes to the keys that a root names. Pure.

import { HoldfastError } from '#protocol/errors.ts';
import {
  ROOT_ROLES,
  authorityOf,
  listedKey,
  type Authority,
  type RootDocument,
  type RootRole,
} from './documents.ts';

export function signersOf(root: RootDocument, role: RootRole): Authority {
  const authority = authorityOf(root, role);
  if (authority !== null) return authority;
  throw new HoldfastError('internal', `the root names nobody for ${role}`);
}

/** The root with other signers of a role, and without keys that nothing names any more. */
export function withSigners(
  root: RootDocument,
  role: RootRole,
  { keys, threshold }: Authority,
): RootDocument {
  const roles = { ...root.roles, [role]: { keyids: keys.map(({ keyId }) => keyId), threshold } };
  const listed = { ...root.keys, ...Object.fromEntries(keys.map((key) => [key.keyId, listedKey(key)])) };
  const named = new Set(ROOT_ROLES.flatMap((name) => roles[name].keyids));
  const kept = Object.entries(listed).filter(([keyId]) => named.has(keyId));
  return { ...root, keys: Object.fromEntries(kept), roles };
}

export function isRootRole(role: string): role is RootRole {
  return ROOT_ROLES.some((name) => name === role);
}
