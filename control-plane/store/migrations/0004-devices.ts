// States of devices, the certificates they were issued and the keys that were revoked; claims that are good for
// several devices, can be withdrawn, and may ask for a person's approval.

import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { sql } from 'kysely';
import type { Database } from '../schema.ts';

export const deviceStateTables: Migration = {
  async up(db: Kysely<Database>): Promise<void> {
    await addDeviceColumns(db);
    await rebuildClaims(db);
    await db.schema
      .createTable('certificates')
      .addColumn('serial', sql`text`, (column) => column.primaryKey())
      .addColumn('device_id', sql`text`, (column) => column.notNull())
      .addColumn('spki_sha256', sql`text`, (column) => column.notNull())
      .addColumn('ca_spki_sha256', sql`text`, (column) => column.notNull())
      .addColumn('expires_at_ms', sql`bigint`, (column) => column.notNull())
      .addColumn('revoked_at_ms', sql`bigint`)
      .execute();
    await db.schema
      .createIndex('certificates_device')
      .on('certificates')
      .columns(['device_id', 'spki_sha256'])
      .execute();
    await db.schema.createIndex('certificates_revoked').on('certificates').column('revoked_at_ms').execute();
    await db.schema
      .createTable('revoked_keys')
      .addColumn('spki_sha256', sql`text`, (column) => column.primaryKey())
      .addColumn('device_id', sql`text`, (column) => column.notNull())
      .addColumn('revoked_at_ms', sql`bigint`, (column) => column.notNull())
      .execute();
  },
};

async function addDeviceColumns(db: Kysely<Database>): Promise<void> {
  await sql`alter table devices add column state text not null default 'active'`.execute(db);
  for (const [name, type] of [
    ['state_reason', sql`text`],
    ['state_actor', sql`text`],
    ['state_at_ms', sql`bigint`],
    ['spki_sha256', sql`text`],
    ['certificate_ca', sql`text`],
    ['certificate_expires_ms', sql`bigint`],
  ] as const) {
    await db.schema.alterTable('devices').addColumn(name, type).execute();
  }
  await sql`update devices set spki_sha256 = (select max(used_by_spki) from claims
    where claims.device_id = devices.id and used_by_spki is not null)`.execute(db);
  await db.schema.createIndex('devices_state').on('devices').column('state').execute();
}

/** `device_id` becomes optional, which SQLite can only do by a new table. */
async function rebuildClaims(db: Kysely<Database>): Promise<void> {
  await db.schema.alterTable('claims').renameTo('claims_before').execute();
  await db.schema
    .createTable('claims')
    .addColumn('id', sql`text`, (column) => column.notNull())
    .addColumn('secret_sha256', sql`text`, (column) => column.notNull())
    .addColumn('device_id', sql`text`)
    .addColumn('id_prefix', sql`text`, (column) => column.notNull())
    .addColumn('profile', sql`text`)
    .addColumn('json_labels', sql`text`, (column) => column.notNull())
    .addColumn('uses', sql`bigint`, (column) => column.notNull())
    .addColumn('used', sql`bigint`, (column) => column.notNull())
    .addColumn('approval', sql`bigint`, (column) => column.notNull())
    .addColumn('replaces', sql`bigint`, (column) => column.notNull())
    .addColumn('expires_at_ms', sql`bigint`, (column) => column.notNull())
    .addColumn('withdrawn_at_ms', sql`bigint`)
    .addColumn('created_by', sql`text`, (column) => column.notNull())
    .addColumn('created_at_ms', sql`bigint`, (column) => column.notNull())
    .addPrimaryKeyConstraint('claims_several_pk', ['id'])
    .execute();
  await sql`insert into claims (id, secret_sha256, device_id, id_prefix, profile, json_labels, uses, used, approval,
      replaces, expires_at_ms, withdrawn_at_ms, created_by, created_at_ms)
    select id, secret_sha256, device_id, 'device-', profile, json_labels, 1,
      case when used_by_spki is null then 0 else 1 end, 0, 0, expires_at_ms, null, 'unknown', created_at_ms
    from claims_before`.execute(db);
  await db.schema
    .createTable('claim_uses')
    .addColumn('claim_id', sql`text`, (column) => column.notNull())
    .addColumn('spki_sha256', sql`text`, (column) => column.notNull())
    .addColumn('device_id', sql`text`, (column) => column.notNull())
    .addPrimaryKeyConstraint('claim_uses_pk', ['claim_id', 'spki_sha256'])
    .execute();
  await sql`insert into claim_uses (claim_id, spki_sha256, device_id)
    select id, used_by_spki, device_id from claims_before where used_by_spki is not null`.execute(db);
  await db.schema.dropTable('claims_before').execute();
  await db.schema.createIndex('claims_created').on('claims').column('created_at_ms').execute();
}
