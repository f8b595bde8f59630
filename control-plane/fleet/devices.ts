// Queries of devices. Rows hold protocol values as JSON; what comes out has passed their schemas.

import type { Kysely, Selectable } from 'kysely';
import { z } from 'zod';
import type { Device } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { reportedBodySchema } from '#protocol/messages.ts';
import type { Database, DeviceTable } from '../store/schema.ts';

export type DeviceRow = Selectable<DeviceTable>;

const labelsSchema = z.record(z.string(), z.string());

export async function deviceRow(db: Kysely<Database>, deviceId: string): Promise<DeviceRow | undefined> {
  return await db.selectFrom('devices').selectAll().where('id', '=', deviceId).executeTakeFirst();
}

/** Errors: `not-found`. */
export async function existingDevice(db: Kysely<Database>, deviceId: string): Promise<DeviceRow> {
  const row = await deviceRow(db, deviceId);
  if (row !== undefined) return row;
  throw new HoldfastError('not-found', `no device ${deviceId} has enrolled`, {
    hint: 'list the devices to see their ids',
  });
}

export async function deviceExists(db: Kysely<Database>, deviceId: string): Promise<boolean> {
  const row = await db.selectFrom('devices').select('id').where('id', '=', deviceId).executeTakeFirst();
  return row !== undefined;
}

/** By id, ascending. */
export async function deviceRows(db: Kysely<Database>): Promise<DeviceRow[]> {
  return await db.selectFrom('devices').selectAll().orderBy('id').execute();
}

export async function insertDevice(
  trx: Kysely<Database>,
  device: {
    readonly id: string;
    readonly profile: string;
    readonly jsonLabels: string;
    readonly nowMs: number;
  },
): Promise<void> {
  await trx
    .insertInto('devices')
    .values({
      id: device.id,
      profile: device.profile,
      json_labels: device.jsonLabels,
      online: 0,
      last_seen_ms: null,
      enrolled_at_ms: device.nowMs,
      desired_seq: 0,
      desired_model: null,
      desired_version: null,
      desired_rollout_id: null,
      json_order: null,
      json_desired: null,
      json_reported: null,
      reported_boot: null,
      reported_seq: 0,
    })
    .execute();
}

export function deviceOf(row: DeviceRow): Device {
  return {
    id: row.id,
    profile: row.profile,
    labels: labelsSchema.parse(JSON.parse(row.json_labels)),
    online: row.online === 1,
    lastSeenMs: row.last_seen_ms,
    enrolledAtMs: row.enrolled_at_ms,
    desiredSeq: row.desired_seq,
    desired:
      row.desired_model === null || row.desired_version === null || row.desired_rollout_id === null
        ? null
        : { model: row.desired_model, version: row.desired_version, rolloutId: row.desired_rollout_id },
    reported: row.json_reported === null ? null : reportedBodySchema.parse(JSON.parse(row.json_reported)),
  };
}
