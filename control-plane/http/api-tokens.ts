// API tokens of operators: only their hashes are stored. The first one is made on first start and lies in
// <data folder>/admin-token, readable by its owner alone; it is never written to a log or a terminal. Who
// deletes the file gets a new token at the next start, and the old one is void.

import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readFileIfPresent, writeFilesDurably } from '../trust/durable-files.ts';
import type { Store } from '../store/database.ts';

export const ADMIN_TOKEN_FILE = 'admin-token';
const ADMIN_TOKEN_ID = 'admin';
const TOKEN_BYTES = 32;
const TOKEN = /^hft_[A-Za-z0-9_-]{43}$/;

export interface ApiToken {
  readonly id: string;
  readonly name: string;
}

export interface ApiTokens {
  /** Null for a token nobody was given. */
  find(token: string): Promise<ApiToken | null>;
  /** Makes the admin token valid that lies in its file, or a new one in place of a lost file; answers where it lies. */
  ensureAdmin(dataDir: string): Promise<{ path: string; made: boolean }>;
}

export function createApiTokens(store: Store, nowMs: () => number = Date.now): ApiTokens {
  return {
    async find(token) {
      if (!TOKEN.test(token)) return null;
      const row = await store.db
        .selectFrom('api_tokens')
        .select(['id', 'name'])
        .where('token_sha256', '=', sha256(token))
        .executeTakeFirst();
      return row ?? null;
    },
    async ensureAdmin(dataDir) {
      const path = join(dataDir, ADMIN_TOKEN_FILE);
      const written = (await readFileIfPresent(path))?.toString('utf8').trim() ?? '';
      const token = TOKEN.test(written) ? written : `hft_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
      if ((await this.find(token))?.id === ADMIN_TOKEN_ID) return { path, made: false };
      // The file comes first: a crash in between leaves a token that the next start takes over.
      if (token !== written) {
        await writeFilesDurably(dataDir, [{ name: ADMIN_TOKEN_FILE, bytes: `${token}\n` }], 0o600);
      }
      await store.transaction(async (trx) => {
        await trx.deleteFrom('api_tokens').where('id', '=', ADMIN_TOKEN_ID).execute();
        const row = {
          id: ADMIN_TOKEN_ID,
          name: 'admin',
          token_sha256: sha256(token),
          created_at_ms: nowMs(),
        };
        await trx.insertInto('api_tokens').values(row).execute();
      });
      return { path, made: true };
    },
  };
}

/** Tokens are 256 random bits, so a plain hash cannot be searched through. */
function sha256(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
