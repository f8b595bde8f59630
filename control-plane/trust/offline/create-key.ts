// Makes a person's signing key, on her own machine.

import type { KeyScheme, TrustKey } from '#protocol/trust.ts';
import { publicPartOf, sealKey } from '../keys/key-file.ts';
import { RoleKey } from '../keys/role-key.ts';

/** The text of a sealed key file, and what others may see of it. Errors: `key-invalid` for a weak passphrase. */
export async function createKey(request: {
  readonly scheme: KeyScheme;
  readonly passphrase: string;
  readonly owner: string;
}): Promise<{ readonly text: string; readonly key: TrustKey }> {
  const { scheme, passphrase, owner } = request;
  const text = await sealKey(RoleKey.generate(scheme).privateKey, passphrase, owner);
  return { text, key: publicPartOf(text) };
}
