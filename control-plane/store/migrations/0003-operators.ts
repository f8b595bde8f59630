// Tokens with grants, an end and a maker; sessions of tokens and of identities; logins at a provider that are under
// way. Sessions of before end: whoever had one signs in again.

import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { Database } from '../schema.ts';

export const operatorTables: Migration = {
  async up(db: Kysely<Database>): Promise<void> {
    // The only token of before is the first one.
    await db.schema
      .alterTable('api_tokens')
      .addColumn('json_grants', sql`text`, (column) => column.notNull().defaultTo('[{"role":"admin"}]'))
      .execute();
    await db.schema
      .alterTable('api_tokens')
      .addColumn('created_by', sql`text`, (column) => column.notNull().defaultTo('system'))
      .execute();
    for (const name of ['expires_at_ms', 'last_used_at_ms']) {
      await db.schema
        .alterTable('api_tokens')
        .addColumn(name, sql`bigint`)
        .execute();
    }
    await db.schema.createIndex('api_tokens_name').on('api_tokens').column('name').unique().execute();
    await db.schema.dropTable('sessions').execute();
    await db.schema
      .createTable('sessions')
      .addColumn('id_sha256', sql`text`, (column) => column.notNull().primaryKey())
      .addColumn('token_id', sql`text`)
      .addColumn('json_identity', sql`text`)
      .addColumn('created_at_ms', sql`bigint`, (column) => column.notNull())
      .addColumn('used_at_ms', sql`bigint`, (column) => column.notNull())
      .addColumn('expires_at_ms', sql`bigint`, (column) => column.notNull())
      .addForeignKeyConstraint('sessions_token_fk', ['token_id'], 'api_tokens', ['id'], (key) =>
        key.onDelete('cascade'),
      )
      .execute();
    await db.schema
      .createTable('logins')
      .addColumn('state_sha256', sql`text`, (column) => column.notNull().primaryKey())
      .addColumn('browser_sha256', sql`text`, (column) => column.notNull())
      .addColumn('nonce', sql`text`, (column) => column.notNull())
      .addColumn('code_verifier', sql`text`, (column) => column.notNull())
      .addColumn('return_to', sql`text`, (column) => column.notNull())
      .addColumn('expires_at_ms', sql`bigint`, (column) => column.notNull())
      .execute();
  },
};
