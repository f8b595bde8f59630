// Queries of telemetry windows. One row a window; sketches as JSON of the protocol's schema.

import type { Kysely } from 'kysely';
import { latencySketchSchema } from '#protocol/latency-sketch.ts';
import type { TelemetryBody } from '#protocol/messages.ts';
import type { Database } from '../store/schema.ts';
import type { StoredWindow } from './series.ts';

export interface TelemetryFilter {
  readonly deviceId?: string | undefined;
  readonly model?: string | undefined;
  readonly version?: number | undefined;
  /** Windows that began at or after this time. */
  readonly sinceMs?: number | undefined;
}

const READ_BATCH = 2_000;

export async function insertWindow(
  trx: Kysely<Database>,
  deviceId: string,
  body: TelemetryBody,
): Promise<void> {
  const { release } = body;
  await trx
    .insertInto('telemetry')
    .values({
      device_id: deviceId,
      model: release.model,
      version: release.version,
      profile: release.profile,
      window_start_ms: body.windowStartMs,
      window_end_ms: body.windowEndMs,
      requests: body.requests,
      errors: body.errors,
      rejected: body.rejected,
      labelled: body.labelled,
      correct: body.correct,
      json_latency: JSON.stringify(body.latency),
      json_system: JSON.stringify(body.system),
    })
    .execute();
}

/** Matching windows in the order they were stored, read in batches. */
export async function* windows(db: Kysely<Database>, filter: TelemetryFilter): AsyncGenerator<StoredWindow> {
  const { deviceId, model, version, sinceMs } = filter;
  let matching = db.selectFrom('telemetry').selectAll().orderBy('id').limit(READ_BATCH);
  if (deviceId !== undefined) matching = matching.where('device_id', '=', deviceId);
  if (model !== undefined) matching = matching.where('model', '=', model);
  if (version !== undefined) matching = matching.where('version', '=', version);
  if (sinceMs !== undefined) matching = matching.where('window_start_ms', '>=', sinceMs);
  for (let lastId = 0; ;) {
    const rows = await matching.where('id', '>', lastId).execute();
    for (const row of rows) {
      lastId = row.id;
      yield {
        deviceId: row.device_id,
        model: row.model,
        version: row.version,
        profile: row.profile,
        startMs: row.window_start_ms,
        endMs: row.window_end_ms,
        requests: row.requests,
        errors: row.errors,
        rejected: row.rejected,
        labelled: row.labelled,
        correct: row.correct,
        latency: latencySketchSchema.parse(JSON.parse(row.json_latency)),
      };
    }
    if (rows.length < READ_BATCH) return;
  }
}

/** Deletes windows that ended before `beforeMs`; resolves to how many. */
export async function deleteWindows(db: Kysely<Database>, beforeMs: number): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('telemetry')
    .where('window_end_ms', '<', beforeMs)
    .executeTakeFirst();
  return Number(numDeletedRows);
}
