// Sessions of the console: a random cookie value, of which only the hash is stored. They end by themselves when idle
// and after half a day, with the token behind them, or by hand; ending one ends it on the server, not only in the
// browser. What somebody may do is looked up at each request, never kept in the session.

import type { Kysely, Selectable } from 'kysely';
import type { Grant } from '#protocol/access.ts';
import type { OperatorSession } from '#protocol/operators.ts';
import type { Store } from '../store/database.ts';
import type { ApiTokenTable, SessionTable } from '../store/access-tables.ts';
import type { Database } from '../store/schema.ts';
import { identitySchema, labelOf, type Identity } from './oidc/identity.ts';
import { newSecret, SECRET_PATTERN, secretSha256 } from './secret.ts';
import { apiTokenOf } from './token-store.ts';

export const SESSION_TTL_MS = 12 * 3_600_000;
export const SESSION_IDLE_MS = 2 * 3_600_000;
const USE_WRITTEN_EVERY_MS = 60_000;
/** Of one token or person; the oldest ends when another begins. */
const MAX_SESSIONS = 50;
const VALUE = new RegExp(`^${SECRET_PATTERN}$`);

/** Who signed in: with a token, or at the provider. */
export type SessionOwner =
  | { readonly tokenId: string; readonly expiresAtMs: number | null }
  | { readonly identity: Identity };

export interface Session {
  /** sha256 of the cookie's value. */
  readonly id: string;
  readonly label: string;
  /** One for all sessions of a token or a person. */
  readonly ownerKey: string;
  readonly tokenId: string | null;
  readonly grants: readonly Grant[];
  /** Of the token behind it; null where that, or there, is none. */
  readonly tokenExpiresAtMs: number | null;
  readonly expiresAtMs: number;
}

export interface SessionsDeps {
  readonly store: Store;
  readonly nowMs: () => number;
  /** Empty for somebody who may not in, or not any more. */
  readonly grantsOf: (identity: Identity) => readonly Grant[];
}

type SessionRow = Selectable<SessionTable>;

export class Sessions {
  readonly #deps: SessionsDeps;

  constructor(deps: SessionsDeps) {
    this.#deps = deps;
  }

  /** Answers the value for the cookie, which is not stored. */
  async begin(owner: SessionOwner): Promise<{ value: string; expiresAtMs: number }> {
    const { store, nowMs } = this.#deps;
    const value = newSecret();
    const createdAtMs = nowMs();
    const end = 'tokenId' in owner ? (owner.expiresAtMs ?? Number.MAX_SAFE_INTEGER) : Number.MAX_SAFE_INTEGER;
    const expiresAtMs = Math.min(createdAtMs + SESSION_TTL_MS, end);
    const row = {
      id_sha256: secretSha256(value),
      token_id: 'tokenId' in owner ? owner.tokenId : null,
      json_identity: 'identity' in owner ? JSON.stringify(owner.identity) : null,
      created_at_ms: createdAtMs,
      used_at_ms: createdAtMs,
      expires_at_ms: expiresAtMs,
    };
    await store.transaction(async (trx) => {
      await this.#sweep(trx);
      const others = await this.#ofOwner(trx, ownerKeyOf(row));
      for (const { id_sha256: id } of others.slice(MAX_SESSIONS - 1)) {
        await trx.deleteFrom('sessions').where('id_sha256', '=', id).execute();
      }
      await trx.insertInto('sessions').values(row).execute();
    });
    return { value, expiresAtMs };
  }

  /** Null for an unknown or ended session, or one whose owner may nothing any more. */
  async find(value: string): Promise<Session | null> {
    return VALUE.test(value) ? await this.#find(secretSha256(value), true) : null;
  }

  /** True until the session ends. Asking does not keep it from becoming idle. */
  async isGood(id: string): Promise<boolean> {
    return (await this.#find(id, false)) !== null;
  }

  /** Newest first. */
  async list(ownerKey: string, currentId: string | null): Promise<OperatorSession[]> {
    const rows = await this.#ofOwner(this.#deps.store.db, ownerKey);
    return rows
      .filter((row) => this.#isLive(row))
      .map((row) => ({
        id: row.id_sha256,
        isCurrent: row.id_sha256 === currentId,
        createdAtMs: row.created_at_ms,
        usedAtMs: row.used_at_ms,
        expiresAtMs: row.expires_at_ms,
      }));
  }

  async end(value: string): Promise<void> {
    await this.#delete(secretSha256(value));
  }

  /** False when the owner has no such session. */
  async endById(id: string, ownerKey: string): Promise<boolean> {
    const isOwn = (await this.#ofOwner(this.#deps.store.db, ownerKey)).some((row) => row.id_sha256 === id);
    if (isOwn) await this.#delete(id);
    return isOwn;
  }

  async #find(id: string, isUse: boolean): Promise<Session | null> {
    const { db } = this.#deps.store;
    const row = await db.selectFrom('sessions').selectAll().where('id_sha256', '=', id).executeTakeFirst();
    if (row === undefined || !this.#isLive(row)) return null;
    const nowMs = this.#deps.nowMs();
    if (isUse && nowMs - row.used_at_ms >= USE_WRITTEN_EVERY_MS) {
      await db.updateTable('sessions').set({ used_at_ms: nowMs }).where('id_sha256', '=', id).execute();
    }
    return row.token_id === null ? this.#ofIdentity(row) : await this.#ofToken(row, row.token_id);
  }

  #ofIdentity(row: SessionRow): Session | null {
    const identity = identitySchema.parse(JSON.parse(row.json_identity ?? 'null'));
    const grants = this.#deps.grantsOf(identity);
    return grants.length === 0
      ? null
      : { ...this.#common(row), label: labelOf(identity), grants, tokenExpiresAtMs: null };
  }

  async #ofToken(row: SessionRow, tokenId: string): Promise<Session | null> {
    const found: Selectable<ApiTokenTable> | undefined = await this.#deps.store.db
      .selectFrom('api_tokens')
      .selectAll()
      .where('id', '=', tokenId)
      .executeTakeFirst();
    if (found === undefined) return null;
    const { name, grants, expiresAtMs } = apiTokenOf(found);
    if (expiresAtMs !== null && expiresAtMs <= this.#deps.nowMs()) return null;
    return { ...this.#common(row), label: `token:${name}`, grants, tokenExpiresAtMs: expiresAtMs };
  }

  #common(row: SessionRow): Pick<Session, 'id' | 'ownerKey' | 'tokenId' | 'expiresAtMs'> {
    const { id_sha256: id, token_id: tokenId, expires_at_ms: expiresAtMs } = row;
    return { id, tokenId, expiresAtMs, ownerKey: ownerKeyOf(row) };
  }

  #isLive({ used_at_ms: usedAtMs, expires_at_ms: expiresAtMs }: SessionRow): boolean {
    const nowMs = this.#deps.nowMs();
    return expiresAtMs > nowMs && usedAtMs > nowMs - SESSION_IDLE_MS;
  }

  /** Newest first. */
  async #ofOwner(db: Kysely<Database>, ownerKey: string): Promise<SessionRow[]> {
    const rows = await db.selectFrom('sessions').selectAll().orderBy('created_at_ms', 'desc').execute();
    return rows.filter((row) => ownerKeyOf(row) === ownerKey);
  }

  async #sweep(trx: Kysely<Database>): Promise<void> {
    const nowMs = this.#deps.nowMs();
    await trx.deleteFrom('sessions').where('expires_at_ms', '<=', nowMs).execute();
    await trx
      .deleteFrom('sessions')
      .where('used_at_ms', '<=', nowMs - SESSION_IDLE_MS)
      .execute();
  }

  async #delete(id: string): Promise<void> {
    await this.#deps.store.db.deleteFrom('sessions').where('id_sha256', '=', id).execute();
  }
}

function ownerKeyOf(row: Pick<SessionRow, 'token_id' | 'json_identity'>): string {
  if (row.token_id !== null) return tokenKey(row.token_id);
  const { issuer, subject } = identitySchema.parse(JSON.parse(row.json_identity ?? 'null'));
  return JSON.stringify([issuer, subject]);
}

/** What requests of a token are counted by, with and without a session. */
export function tokenKey(tokenId: string): string {
  return `token:${tokenId}`;
}
