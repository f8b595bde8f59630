// API tokens: made, found, listed, revoked, rotated. Invariants: only hashes are stored, the token itself is shown once;
// nobody makes a token that may more, or for longer, than they may themselves; an expired token stays, to say so.

import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import { isWithin, type Grant } from '#protocol/access.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { ApiToken, CreateToken, NewApiToken } from '#protocol/operators.ts';
import type { Audit } from '../store/audit.ts';
import type { Store } from '../store/database.ts';
import type { Database } from '../store/schema.ts';
import { newSecret, SECRET_PATTERN, secretSha256 } from './secret.ts';
import { insertToken, listTokens, tokenById, tokenBySha256 } from './token-store.ts';

const PREFIX = 'hft_';
export const TOKEN = new RegExp(`^${PREFIX}${SECRET_PATTERN}$`);
/** Expired tokens are forgotten after this time. */
const KEPT_EXPIRED_MS = 30 * 86_400_000;
const USE_WRITTEN_EVERY_MS = 60_000;
const MAX_TOKENS = 10_000;

/** Whoever asks for a change of tokens. */
export interface TokenKeeper {
  readonly label: string;
  readonly grants: readonly Grant[];
  readonly tokenId: string | null;
  /** Null when the credentials do not expire. */
  readonly expiresAtMs: number | null;
}

export interface TokensDeps {
  readonly store: Store;
  readonly audit: Audit;
  readonly nowMs: () => number;
}

export class ApiTokens {
  readonly #deps: TokensDeps;

  constructor(deps: TokensDeps) {
    this.#deps = deps;
  }

  /** Null for a token nobody was given, or that was revoked. Errors: `token-expired`. */
  async find(text: string): Promise<ApiToken | null> {
    const token = TOKEN.test(text) ? await tokenBySha256(this.#deps.store.db, secretSha256(text)) : null;
    if (token === null) return null;
    this.#assertLive(token);
    await this.#noteUse(token);
    return token;
  }

  /** True while this very token is good: not once it was revoked, rotated or has expired. */
  async isGood(text: string): Promise<boolean> {
    const token = await tokenBySha256(this.#deps.store.db, secretSha256(text));
    return token !== null && !this.#isExpired(token);
  }

  list(): Promise<ApiToken[]> {
    return listTokens(this.#deps.store.db);
  }

  /** Errors: `not-found`. */
  async get(id: string): Promise<ApiToken> {
    const token = await tokenById(this.#deps.store.db, id);
    if (token !== null) return token;
    throw new HoldfastError('not-found', `there is no token ${id}`, { hint: 'list them to see their ids' });
  }

  /** Errors: `forbidden` for more than the keeper has, `conflict` for a name that is taken. */
  async create({ name, grants, ttlMs }: CreateToken, keeper: TokenKeeper): Promise<NewApiToken> {
    assertWithin(grants, keeper);
    const { store, nowMs } = this.#deps;
    const createdAtMs = nowMs();
    const token: ApiToken = {
      id: `tok-${randomUUID().slice(0, 13)}`, name, grants, createdBy: keeper.label, createdAtMs,
      expiresAtMs: endOf(createdAtMs + ttlMs, keeper), lastUsedAtMs: null,
    }; // prettier-ignore
    const text = newTokenText();
    await store.transaction(async (trx) => {
      await trx
        .deleteFrom('api_tokens')
        .where('expires_at_ms', '<', createdAtMs - KEPT_EXPIRED_MS)
        .execute();
      const present = await trx.selectFrom('api_tokens').select('name').execute();
      if (present.some((row) => row.name === name)) throw nameTaken(name);
      if (present.length >= MAX_TOKENS) throw tooMany();
      await insertToken(trx, token, secretSha256(text));
      await this.#audited(trx, 'token.create', token, keeper);
    });
    return { ...token, token: text };
  }

  /** Void at once, with its sessions and streams. Errors: `not-found`, `conflict` for the first token. */
  async revoke(id: string, keeper: TokenKeeper): Promise<void> {
    const token = await this.#changeable(id);
    await this.#deps.store.transaction(async (trx) => {
      await trx.deleteFrom('api_tokens').where('id', '=', id).execute();
      await this.#audited(trx, 'token.revoke', token, keeper);
    });
  }

  /**
   * A new text for the same token, good for `ttlMs`; the old one is void at once, with its sessions. Errors:
   * `not-found`, `forbidden` for one that may more than the keeper, `conflict` for the first token.
   */
  async rotate(id: string, ttlMs: number, keeper: TokenKeeper): Promise<NewApiToken> {
    const token = await this.#changeable(id);
    assertWithin(token.grants, keeper);
    const expiresAtMs = endOf(this.#deps.nowMs() + ttlMs, keeper);
    const text = newTokenText();
    await this.#deps.store.transaction(async (trx) => {
      const set = { token_sha256: secretSha256(text), expires_at_ms: expiresAtMs };
      await trx.updateTable('api_tokens').set(set).where('id', '=', id).execute();
      await trx.deleteFrom('sessions').where('token_id', '=', id).execute();
      await this.#audited(trx, 'token.rotate', { ...token, expiresAtMs }, keeper);
    });
    return { ...token, expiresAtMs, token: text };
  }

  async #changeable(id: string): Promise<ApiToken> {
    const token = await this.get(id);
    if (token.createdBy !== 'system') return token;
    throw new HoldfastError('conflict', 'the first token lies in the data folder, and is changed there', {
      hint: 'delete the file admin-token and start the control plane again: it makes another, and voids this one',
    });
  }

  #isExpired({ expiresAtMs }: ApiToken): boolean {
    return expiresAtMs !== null && expiresAtMs <= this.#deps.nowMs();
  }

  #assertLive(token: ApiToken): void {
    if (!this.#isExpired(token)) return;
    const when = new Date(token.expiresAtMs ?? 0).toISOString();
    throw new HoldfastError('token-expired', `the API token ${token.name} expired at ${when}`, {
      hint: 'ask an admin for another, or to rotate it: holdfast token rotate',
    });
  }

  async #noteUse({ id, lastUsedAtMs }: ApiToken): Promise<void> {
    const now = this.#deps.nowMs();
    if (lastUsedAtMs !== null && now - lastUsedAtMs < USE_WRITTEN_EVERY_MS) return;
    await this.#deps.store.db
      .updateTable('api_tokens')
      .set({ last_used_at_ms: now })
      .where('id', '=', id)
      .execute();
  }

  async #audited(
    trx: Kysely<Database>,
    action: string,
    { id, name, grants, expiresAtMs }: ApiToken,
    { label }: TokenKeeper,
  ): Promise<void> {
    await this.#deps.audit.record(
      { actor: label, action, subject: id, detail: { name, grants, expiresAtMs } },
      trx,
    );
  }
}

export function newTokenText(): string {
  return PREFIX + newSecret();
}

/** No token outlives the one that made it. */
function endOf(wantedMs: number, { expiresAtMs }: TokenKeeper): number {
  return expiresAtMs === null ? wantedMs : Math.min(wantedMs, expiresAtMs);
}

function assertWithin(grants: readonly Grant[], keeper: TokenKeeper): void {
  if (isWithin(grants, keeper.grants)) return;
  throw new HoldfastError('forbidden', 'the token would be allowed more than you are', {
    hint: 'give it roles that you have, narrowed as yours are or further',
  });
}

function nameTaken(name: string): HoldfastError {
  return new HoldfastError('conflict', `there is a token called ${name} already`, {
    hint: 'take another name, or rotate the one there is',
  });
}

function tooMany(): HoldfastError {
  return new HoldfastError('conflict', `there are ${MAX_TOKENS} tokens already`, {
    hint: 'revoke those that nobody uses',
  });
}
