// Signed statements about versions and their variants, each a blob.

import { sql, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { Database } from '../schema.ts';

export const provenanceTables: Migration = {
  async up(db: Kysely<Database>): Promise<void> {
    await db.schema
      .createTable('attestations')
      .addColumn('model', sql`text`, (column) => column.notNull())
      .addColumn('version', sql`bigint`, (column) => column.notNull())
      .addColumn('kind', sql`text`, (column) => column.notNull())
      .addColumn('profile', sql`text`, (column) => column.notNull())
      .addColumn('sha256', sql`text`, (column) => column.notNull())
      .addColumn('created_at_ms', sql`bigint`, (column) => column.notNull())
      .addPrimaryKeyConstraint('attestations_pk', ['model', 'version', 'kind', 'profile'])
      .addForeignKeyConstraint(
        'attestations_fk',
        ['model', 'version'],
        'versions',
        ['model', 'version'],
        (key) => key.onDelete('cascade'),
      )
      .execute();
    await db.schema.createIndex('attestations_sha256').on('attestations').column('sha256').execute();
  },
};
