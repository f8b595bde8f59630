// What compression tries: recipes made of a version, and what was chosen of them for a profile. Variants keep their
// comparison with the original; reports of before are brought into the form of protocol/compression.ts.

import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { sql } from 'kysely';
import type { Database } from '../schema.ts';

/** A variant's report before this migration. */
interface OldReport {
  readonly opsBefore: Readonly<Record<string, number>>;
  readonly opsAfter: Readonly<Record<string, number>>;
  readonly leftInFloat: readonly string[];
  readonly sqnrDb: number | null;
}

export const candidateTables: Migration = {
  async up(db: Kysely<Database>): Promise<void> {
    await db.schema
      .alterTable('variants')
      .addColumn('json_comparison', sql`text`)
      .execute();
    await db.schema
      .createTable('trials')
      .addColumn('model', sql`text`, (column) => column.notNull())
      .addColumn('version', sql`bigint`, (column) => column.notNull())
      .addColumn('key_sha256', sql`text`, (column) => column.notNull())
      .addColumn('json_trial', sql`text`, (column) => column.notNull())
      .addColumn('created_at_ms', sql`bigint`, (column) => column.notNull())
      .addPrimaryKeyConstraint('trials_pk', ['model', 'version', 'key_sha256'])
      .addForeignKeyConstraint('trials_fk', ['model', 'version'], 'versions', ['model', 'version'], (key) =>
        key.onDelete('cascade'),
      )
      .execute();
    await db.schema
      .createTable('choices')
      .addColumn('model', sql`text`, (column) => column.notNull())
      .addColumn('version', sql`bigint`, (column) => column.notNull())
      .addColumn('profile', sql`text`, (column) => column.notNull())
      .addColumn('json_candidates', sql`text`, (column) => column.notNull())
      .addColumn('decided_at_ms', sql`bigint`, (column) => column.notNull())
      .addPrimaryKeyConstraint('choices_pk', ['model', 'version', 'profile'])
      .addForeignKeyConstraint('choices_fk', ['model', 'version'], 'versions', ['model', 'version'], (key) =>
        key.onDelete('cascade'),
      )
      .execute();
    await rewriteReports(db);
  },
};

async function rewriteReports(db: Kysely<Database>): Promise<void> {
  const rows = await db
    .selectFrom('variants')
    .innerJoin('versions', (join) =>
      join.onRef('versions.model', '=', 'variants.model').onRef('versions.version', '=', 'variants.version'),
    )
    .select([
      'variants.model',
      'variants.version',
      'profile',
      'precision',
      'json_report',
      'weights_size_bytes',
      'json_contract',
    ]) // prettier-ignore
    .execute();
  for (const row of rows) {
    const { weights } = JSON.parse(row.json_contract) as { weights: { sizeBytes: number } };
    const report =
      row.precision === 'original'
        ? null
        : newReport(JSON.parse(row.json_report) as OldReport, weights.sizeBytes, row.weights_size_bytes);
    // The column is immutable but for this.
    await sql`update variants set json_report = ${JSON.stringify(report)}
      where model = ${row.model} and version = ${row.version} and profile = ${row.profile}`.execute(db);
  }
}

function newReport(old: OldReport, sizeBytesBefore: number, sizeBytesAfter: number) {
  const { opsBefore, opsAfter, leftInFloat, sqnrDb } = old;
  return {
    sizeBytesBefore, sizeBytesAfter, opsBefore, opsAfter, lowered: {}, folded: {}, float: {}, leftInFloat,
    notes: ['made by a version of Holdfast that kept less of what it measured'],
    calibrationSamples: 0, sqnrDb, outputs: [], worstLayers: [], phasesMs: {},
  }; // prettier-ignore
}
