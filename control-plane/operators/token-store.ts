// Queries of API tokens. What comes out has passed the protocol's schemas.

import type { Kysely, Selectable } from 'kysely';
import { grantsSchema } from '#protocol/access.ts';
import type { ApiToken } from '#protocol/operators.ts';
import type { ApiTokenTable } from '../store/access-tables.ts';
import type { Database } from '../store/schema.ts';

type Rows = Kysely<Database>;

const COLUMNS = ['id', 'name', 'json_grants', 'created_by', 'created_at_ms', 'expires_at_ms', 'last_used_at_ms'] as const; // prettier-ignore

export async function tokenBySha256(db: Rows, sha256: string): Promise<ApiToken | null> {
  const row = await db
    .selectFrom('api_tokens')
    .select(COLUMNS)
    .where('token_sha256', '=', sha256)
    .executeTakeFirst();
  return row === undefined ? null : apiTokenOf(row);
}

export async function tokenById(db: Rows, id: string): Promise<ApiToken | null> {
  const row = await db.selectFrom('api_tokens').select(COLUMNS).where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : apiTokenOf(row);
}

/** By name. */
export async function listTokens(db: Rows): Promise<ApiToken[]> {
  return (await db.selectFrom('api_tokens').select(COLUMNS).orderBy('name').execute()).map(apiTokenOf);
}

export async function insertToken(db: Rows, token: ApiToken, sha256: string): Promise<void> {
  await db
    .insertInto('api_tokens')
    .values({
      id: token.id,
      name: token.name,
      token_sha256: sha256,
      json_grants: JSON.stringify(token.grants),
      created_by: token.createdBy,
      created_at_ms: token.createdAtMs,
      expires_at_ms: token.expiresAtMs,
      last_used_at_ms: token.lastUsedAtMs,
    })
    .execute();
}

export function apiTokenOf(row: Pick<Selectable<ApiTokenTable>, (typeof COLUMNS)[number]>): ApiToken {
  return {
    id: row.id,
    name: row.name,
    grants: grantsSchema.parse(JSON.parse(row.json_grants)),
    createdBy: row.created_by,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    lastUsedAtMs: row.last_used_at_ms,
  };
}
