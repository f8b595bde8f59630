// The first API token. It is made on first start and lies in <data folder>/admin-token, readable by its owner alone;
// it is never written to a log or a terminal, and does not expire. Who deletes the file gets a new token at the next
// start, and the old one is void.

import { join } from 'node:path';
import type { Store } from '../store/database.ts';
import { readFileIfPresent, writeFilesDurably } from '../trust/durable-files.ts';
import { secretSha256 } from './secret.ts';
import { newTokenText, TOKEN } from './tokens.ts';
import { insertToken, tokenBySha256 } from './token-store.ts';

export const ADMIN_TOKEN_FILE = 'admin-token';
export const ADMIN_TOKEN_ID = 'admin';

/** Makes the token valid that lies in the file, or a new one in place of a lost file; answers where it lies. */
export async function ensureAdminToken(
  store: Store,
  dataDir: string,
  nowMs: () => number = Date.now,
): Promise<{ path: string; made: boolean }> {
  const path = join(dataDir, ADMIN_TOKEN_FILE);
  const written = (await readFileIfPresent(path))?.toString('utf8').trim() ?? '';
  const token = TOKEN.test(written) ? written : newTokenText();
  const sha256 = secretSha256(token);
  if ((await tokenBySha256(store.db, sha256))?.id === ADMIN_TOKEN_ID) return { path, made: false };
  // The file comes first: a crash in between leaves a token that the next start takes over.
  if (token !== written) {
    await writeFilesDurably(dataDir, [{ name: ADMIN_TOKEN_FILE, bytes: `${token}\n` }], 0o600);
  }
  await store.transaction(async (trx) => {
    await trx.deleteFrom('api_tokens').where('id', '=', ADMIN_TOKEN_ID).execute();
    const admin = {
      id: ADMIN_TOKEN_ID, name: 'admin', grants: [{ role: 'admin' as const }], createdBy: 'system',
      createdAtMs: nowMs(), expiresAtMs: null, lastUsedAtMs: null,
    }; // prettier-ignore
    await insertToken(trx, admin, sha256);
  });
  return { path, made: true };
}
