// Queries of devices. Rows hold protocol values as JSON; what comes out has passed their schemas.

import type { Kysely, Selectable } from 'kysely';
import { z } from 'zod';
import type { Device } from '#protocol/api.ts';
import { deviceStateSchema, mayConnect, type DeviceState } from '#protocol/device-state.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { reportedBodySchema } from '#protocol/messages.ts';
import type { DeviceTable } from '../store/fleet-tables.ts';
import type { Database } from '../store/schema.ts';

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

/** Whether a device may connect now with this key; one that enrolled before keys were kept may with any. */
export async function isAdmitted(
  db: Kysely<Database>,
  deviceId: string,
  keySha256: string,
): Promise<boolean> {
  const row = await db
    .selectFrom('devices')
    .select(['state', 'spki_sha256'])
    .where('id', '=', deviceId)
    .executeTakeFirst();
  if (row === undefined || !mayConnect(stateOf(row))) return false;
  return row.spki_sha256 === null || row.spki_sha256 === keySha256;
}

/** By id, ascending; without those that were decommissioned, unless they are asked for. */
export async function deviceRows(db: Kysely<Database>, state?: DeviceState): Promise<DeviceRow[]> {
  const rows = db.selectFrom('devices').selectAll().orderBy('id');
  return await (
    state === undefined ? rows.where('state', '!=', 'decommissioned') : rows.where('state', '=', state)
  ).execute();
}

export interface NewDevice {
  readonly id: string;
  readonly profile: string;
  readonly jsonLabels: string;
  readonly state: DeviceState;
  readonly spkiSha256: string;
  readonly nowMs: number;
}

/** By id. */
export async function labelsOfDevices(db: Kysely<Database>): Promise<Map<string, Record<string, string>>> {
  const rows = await db.selectFrom('devices').select(['id', 'json_labels']).execute();
  return new Map(rows.map((row) => [row.id, labelsSchema.parse(JSON.parse(row.json_labels))]));
}

/** Null for an unknown device. */
export async function labelsOfDevice(
  db: Kysely<Database>,
  deviceId: string,
): Promise<Record<string, string> | null> {
  const row = await db
    .selectFrom('devices')
    .select('json_labels')
    .where('id', '=', deviceId)
    .executeTakeFirst();
  return row === undefined ? null : labelsSchema.parse(JSON.parse(row.json_labels));
}

export async function insertDevice(trx: Kysely<Database>, device: NewDevice): Promise<void> {
  await trx
    .insertInto('devices')
    .values({ id: device.id, ...freshColumns(device) })
    .execute();
}

/** Another device under the id of one that is gone; nothing of that one is kept. */
export async function replaceDevice(trx: Kysely<Database>, device: NewDevice): Promise<void> {
  await trx.updateTable('devices').set(freshColumns(device)).where('id', '=', device.id).execute();
}

function freshColumns({ profile, jsonLabels, state, spkiSha256, nowMs }: NewDevice) {
  return {
    profile,
    json_labels: jsonLabels,
    online: 0,
    last_seen_ms: null,
    enrolled_at_ms: nowMs,
    state,
    state_reason: null,
    state_actor: null,
    state_at_ms: null,
    spki_sha256: spkiSha256,
    certificate_ca: null,
    certificate_expires_ms: null,
    desired_seq: 0,
    desired_model: null,
    desired_version: null,
    desired_rollout_id: null,
    json_order: null,
    json_desired: null,
    json_reported: null,
    reported_boot: null,
    reported_seq: 0,
  };
}

export function stateOf({ state }: Pick<DeviceRow, 'state'>): DeviceState {
  return deviceStateSchema.parse(state);
}

export function deviceOf(row: DeviceRow): Device {
  return {
    id: row.id,
    profile: row.profile,
    labels: labelsSchema.parse(JSON.parse(row.json_labels)),
    state: stateOf(row),
    decision:
      row.state_reason === null || row.state_actor === null || row.state_at_ms === null
        ? null
        : { reason: row.state_reason, actor: row.state_actor, atMs: row.state_at_ms },
    keySha256: row.spki_sha256,
    certificateExpiresAtMs: row.certificate_expires_ms,
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
