// Sessions of the console: a random cookie value, of which only the hash is stored. Ending a session ends
// it on the server, not only in the browser.

import { createHash, randomBytes } from 'node:crypto';
import type { Store } from '../store/database.ts';
import type { ApiToken } from './api-tokens.ts';

export const SESSION_COOKIE = 'holdfast-session';
export const SESSION_TTL_MS = 12 * 3_600_000;
const ID_BYTES = 32;
const ID = /^[A-Za-z0-9_-]{43}$/;

export interface Session {
  readonly token: ApiToken;
  readonly expiresAtMs: number;
}

export interface Sessions {
  /** Answers the value for the cookie, which is not stored. */
  begin(token: ApiToken): Promise<{ id: string; expiresAtMs: number }>;
  /** Null for an unknown or expired session. */
  find(id: string): Promise<Session | null>;
  end(id: string): Promise<void>;
}

export function createSessions(store: Store, nowMs: () => number = Date.now): Sessions {
  return {
    async begin(token) {
      const id = randomBytes(ID_BYTES).toString('base64url');
      const expiresAtMs = nowMs() + SESSION_TTL_MS;
      await store.transaction(async (trx) => {
        await trx.deleteFrom('sessions').where('expires_at_ms', '<=', nowMs()).execute();
        await trx
          .insertInto('sessions')
          .values({
            id_sha256: sha256(id),
            token_id: token.id,
            created_at_ms: nowMs(),
            expires_at_ms: expiresAtMs,
          })
          .execute();
      });
      return { id, expiresAtMs };
    },
    async find(id) {
      if (!ID.test(id)) return null;
      const row = await store.db
        .selectFrom('sessions')
        .innerJoin('api_tokens', 'api_tokens.id', 'sessions.token_id')
        .select(['api_tokens.id', 'api_tokens.name', 'sessions.expires_at_ms'])
        .where('id_sha256', '=', sha256(id))
        .where('expires_at_ms', '>', nowMs())
        .executeTakeFirst();
      return row === undefined
        ? null
        : { token: { id: row.id, name: row.name }, expiresAtMs: row.expires_at_ms };
    },
    async end(id) {
      await store.db.deleteFrom('sessions').where('id_sha256', '=', sha256(id)).execute();
    },
  };
}

/** The session's value in a Cookie header; null without one. */
export function sessionIdOf(cookieHeader: string | undefined): string | null {
  for (const pair of (cookieHeader ?? '').split(';')) {
    const [name, value] = pair.trim().split('=', 2);
    if (name === SESSION_COOKIE && value !== undefined && ID.test(value)) return value;
  }
  return null;
}

function sha256(id: string): string {
  return createHash('sha256').update(id).digest('hex');
}
