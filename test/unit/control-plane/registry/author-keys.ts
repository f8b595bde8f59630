// Authors with keys, and the signatures that they make.

import { canonicalJson } from '#protocol/canonical-json.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import type { AuthorSignature } from '#protocol/trust.ts';
import type { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import { signVersion, type SignedByAuthor } from '#control-plane/trust/offline/model-signature-version.ts';
import { createHash } from 'node:crypto';
import { vi } from 'vitest';
import type { RegistryWorld } from './registry-world.ts';

/** The authors' role of every model has this policy and these keys; its metadata is as it was. */
export function withAuthors(
  { trust }: RegistryWorld,
  authorSignature: AuthorSignature,
  keys: readonly RoleKey[],
): void {
  const role = trust.image.authorRoleOf('digits');
  const authors = { ...role, authorSignature, keys: keys.map(({ trustKey }) => trustKey) };
  vi.spyOn(trust.image, 'authorRoleOf').mockReturnValue(authors);
}

export function sha256Of(contract: ModelContract): string {
  return createHash('sha256').update(canonicalJson(contract)).digest('hex');
}

/** What `model import --sign-key` sends. */
export function signedBy({ privateKey }: RoleKey, contract: ModelContract): SignedByAuthor {
  const version = { contract, contractSha256: sha256Of(contract), parents: new Map<number, string>() };
  return signVersion(version, privateKey);
}
