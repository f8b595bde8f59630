// Queries of rollouts. Rows hold protocol values as JSON; what comes out has passed their schemas.

import type { Kysely, Selectable } from 'kysely';
import type { DeploymentState } from '#protocol/deployment.ts';
import { deploymentReasonSchema, deploymentStateSchema } from '#protocol/deployment.ts';
import { evidenceSchema, type Evidence } from '#protocol/evidence.ts';
import { reportedBodySchema } from '#protocol/messages.ts';
import {
  rolloutPhaseSchema,
  rolloutPlanSchema,
  selectorSchema,
  type RolloutPhase,
} from '#protocol/rollout.ts';
import type { Database, RolloutDeviceTable, RolloutTable } from '../store/schema.ts';
import { labelsOfDevices } from '../fleet/devices.ts';
import type { RolloutReach } from './reach.ts';
import type { DeviceView, RolloutView } from './reconcile.ts';

type Rows = Kysely<Database>;

export async function insertRollout(db: Rows, view: RolloutView, requestId: string | null): Promise<void> {
  await db
    .insertInto('rollouts')
    .values({
      id: view.id,
      request_id: requestId,
      model: view.model,
      version: view.version,
      phase: view.phase,
      reason: view.reason,
      json_plan: JSON.stringify(view.plan),
      json_selector: JSON.stringify(view.selector),
      wave: view.wave,
      soak_until_ms: view.soakUntilMs,
      created_at_ms: view.createdAtMs,
      updated_at_ms: view.updatedAtMs,
    })
    .execute();
  for (const device of view.devices) {
    await db
      .insertInto('rollout_devices')
      .values({
        rollout_id: view.id,
        device_id: device.deviceId,
        profile: device.profile,
        wave: device.wave,
        from_version: device.fromVersion,
        seq: device.seq,
        state: device.state,
        reason: device.reason,
        detail: device.detail,
        json_evidence: '[]',
        rollback_seq: null,
        rollback_state: device.rollbackState,
        started_at_ms: device.startedAtMs,
        updated_at_ms: device.updatedAtMs,
      })
      .execute();
  }
}

export async function rolloutById(db: Rows, id: string): Promise<RolloutView | null> {
  const row = await db.selectFrom('rollouts').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : viewOf(row, await deviceViews(db, id, row.model));
}

export async function rolloutIdByRequest(db: Rows, requestId: string): Promise<string | null> {
  const row = await db
    .selectFrom('rollouts')
    .select('id')
    .where('request_id', '=', requestId)
    .executeTakeFirst();
  return row?.id ?? null;
}

/** Newest first. */
export async function listRollouts(db: Rows, limit: number): Promise<RolloutView[]> {
  const rows = await db
    .selectFrom('rollouts')
    .selectAll()
    .orderBy('created_at_ms', 'desc')
    .limit(limit)
    .execute();
  return await Promise.all(rows.map(async (row) => viewOf(row, await deviceViews(db, row.id, row.model))));
}

/** What each of these is on, in their order. */
export async function reachesOf(db: Rows, views: readonly RolloutView[]): Promise<RolloutReach[]> {
  const labels = await labelsOfDevices(db);
  return views.map(({ model, devices }) => ({
    model,
    labels: devices.map(({ deviceId }) => labels.get(deviceId) ?? {}),
  }));
}

/** Rollouts the controller may have work on: open ones, and aborted ones with devices left in the middle. */
export async function unsettledRolloutIds(db: Rows): Promise<string[]> {
  const open: RolloutPhase[] = ['scheduled', 'progressing', 'rolling-back'];
  const rows = await db
    .selectFrom('rollouts')
    .select('id')
    .where((where) =>
      where.or([
        where('phase', 'in', open),
        where.and([
          where('phase', '=', 'aborted'),
          where.exists(
            where
              .selectFrom('rollout_devices')
              .select('device_id')
              .whereRef('rollout_id', '=', 'rollouts.id')
              .where('seq', 'is not', null)
              .where('state', '!=', 'healthy')
              .where('rollback_state', 'is', null),
          ),
        ]),
      ]),
    )
    .orderBy('created_at_ms')
    .execute();
  return rows.map((row) => row.id);
}

/** Devices that an open rollout other than `exceptId` has in its plan. */
export async function busyDevices(db: Rows, deviceIds: readonly string[]): Promise<Map<string, string>> {
  const closed: RolloutPhase[] = ['completed', 'rolled-back', 'aborted'];
  const rows = await db
    .selectFrom('rollout_devices')
    .innerJoin('rollouts', 'rollouts.id', 'rollout_devices.rollout_id')
    .select(['device_id', 'rollouts.id as rollout_id'])
    .where('rollouts.phase', 'not in', closed)
    .execute();
  const wanted = new Set(deviceIds);
  return new Map(
    rows.filter((row) => wanted.has(row.device_id)).map((row) => [row.device_id, row.rollout_id]),
  );
}

export async function updateRollout(
  db: Rows,
  id: string,
  change: { phase?: RolloutPhase; reason?: string | null; wave?: number; soakUntilMs?: number | null },
  nowMs: number,
): Promise<void> {
  await db
    .updateTable('rollouts')
    .set({
      ...(change.phase === undefined ? {} : { phase: change.phase }),
      ...(change.reason === undefined ? {} : { reason: change.reason }),
      ...(change.wave === undefined ? {} : { wave: change.wave }),
      ...(change.soakUntilMs === undefined ? {} : { soak_until_ms: change.soakUntilMs }),
      updated_at_ms: nowMs,
    })
    .where('id', '=', id)
    .execute();
}

export interface DeviceChange {
  readonly seq?: number | null;
  readonly state?: DeploymentState;
  readonly reason?: string | null;
  readonly detail?: string | null;
  readonly evidence?: readonly Evidence[];
  readonly rollbackSeq?: number | null;
  readonly rollbackState?: DeploymentState | null;
  readonly startedAtMs?: number;
}

export async function updateDevice(
  db: Rows,
  rolloutId: string,
  deviceId: string,
  change: DeviceChange,
  nowMs: number,
): Promise<void> {
  await db
    .updateTable('rollout_devices')
    .set({
      ...(change.seq === undefined ? {} : { seq: change.seq }),
      ...(change.state === undefined ? {} : { state: change.state }),
      ...(change.reason === undefined ? {} : { reason: change.reason }),
      ...(change.detail === undefined ? {} : { detail: change.detail }),
      ...(change.evidence === undefined ? {} : { json_evidence: JSON.stringify(change.evidence) }),
      ...(change.rollbackSeq === undefined ? {} : { rollback_seq: change.rollbackSeq }),
      ...(change.rollbackState === undefined ? {} : { rollback_state: change.rollbackState }),
      ...(change.startedAtMs === undefined ? {} : { started_at_ms: change.startedAtMs }),
      updated_at_ms: nowMs,
    })
    .where('rollout_id', '=', rolloutId)
    .where('device_id', '=', deviceId)
    .execute();
}

/** The row an order of this rollout belongs to, and which of its two orders that is; null when neither. */
export async function orderRow(
  db: Rows,
  rolloutId: string,
  deviceId: string,
  seq: number,
): Promise<{ which: 'forward' | 'back'; state: DeploymentState } | null> {
  const row = await db
    .selectFrom('rollout_devices')
    .select(['seq', 'state', 'rollback_seq', 'rollback_state'])
    .where('rollout_id', '=', rolloutId)
    .where('device_id', '=', deviceId)
    .executeTakeFirst();
  if (row === undefined) return null;
  if (row.seq === seq) return { which: 'forward', state: deploymentStateSchema.parse(row.state) };
  if (row.rollback_seq === seq)
    return { which: 'back', state: deploymentStateSchema.parse(row.rollback_state) };
  return null;
}

async function deviceViews(db: Rows, rolloutId: string, model: string): Promise<DeviceView[]> {
  const rows = await db
    .selectFrom('rollout_devices')
    .innerJoin('devices', 'devices.id', 'rollout_devices.device_id')
    .selectAll('rollout_devices')
    .select('devices.json_reported')
    .where('rollout_id', '=', rolloutId)
    .orderBy('wave')
    .orderBy('device_id')
    .execute();
  return rows.map((row) => deviceViewOf(row, runningVersion(row.json_reported, model)));
}

/**
 * Version of the model in service by the device's last report; null when it serves none of it, and while that part of
 * the report is older than the flip its own deployment tells of (the news of a deployment may overtake the report).
 */
export function runningVersion(jsonReported: string | null, model: string): number | null {
  if (jsonReported === null) return null;
  const { active, deployment } = reportedBodySchema.parse(JSON.parse(jsonReported));
  if (active?.model !== model) return null;
  const flip = deployment?.history.findLast(({ to }) => to === 'probation');
  return flip !== undefined && active.sinceMs < flip.atMs && active.version !== deployment?.version
    ? null
    : active.version;
}

function deviceViewOf(row: Selectable<RolloutDeviceTable>, running: number | null): DeviceView {
  return {
    deviceId: row.device_id,
    profile: row.profile,
    wave: row.wave,
    seq: row.seq,
    state: deploymentStateSchema.parse(row.state),
    reason: deploymentReasonSchema.nullable().parse(row.reason),
    detail: row.detail,
    fromVersion: row.from_version,
    evidence: evidenceSchema.array().parse(JSON.parse(row.json_evidence)),
    rollbackState: deploymentStateSchema.nullable().parse(row.rollback_state),
    startedAtMs: row.started_at_ms,
    updatedAtMs: row.updated_at_ms,
    running,
  };
}

function viewOf(row: Selectable<RolloutTable>, devices: DeviceView[]): RolloutView {
  return {
    id: row.id,
    model: row.model,
    version: row.version,
    phase: rolloutPhaseSchema.parse(row.phase),
    reason: row.reason,
    plan: rolloutPlanSchema.parse(JSON.parse(row.json_plan)),
    selector: selectorSchema.parse(JSON.parse(row.json_selector)),
    wave: row.wave,
    soakUntilMs: row.soak_until_ms,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    devices,
  };
}
