// Jobs as rows: what was asked, how far it is, how it ended.

import type { Kysely, Selectable } from 'kysely';
import { createVariantsSchema, jobSchema, type Job } from '#protocol/api.ts';
import type { z } from 'zod';
import type { Database, JobTable } from '../store/schema.ts';
import { listChoices } from './trial-store.ts';

export type VariantsRequest = z.output<typeof createVariantsSchema>;

export interface QueuedJob extends Omit<Job, 'choices'> {
  readonly request: VariantsRequest;
  /** Who asked. */
  readonly actor: string;
}

type Rows = Kysely<Database>;
const OPEN_STATES = ['queued', 'running'];

interface StoredRequest {
  readonly request: VariantsRequest;
  readonly actor: string;
}

export async function insertJob(db: Rows, job: QueuedJob): Promise<void> {
  const stored: StoredRequest = { request: job.request, actor: job.actor };
  await db
    .insertInto('jobs')
    .values({
      id: job.id,
      kind: job.kind,
      state: job.state,
      model: job.model,
      version: job.version,
      json_request: JSON.stringify(stored),
      progress_pct: job.progressPct,
      message: job.message,
      error_code: null,
      error_detail: null,
      created_at_ms: job.createdAtMs,
      updated_at_ms: job.updatedAtMs,
    })
    .execute();
}

export async function findJob(db: Rows, id: string): Promise<QueuedJob | null> {
  const row = await db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : jobOf(row);
}

/** Jobs that have not ended, oldest first. */
export async function openJobs(db: Rows): Promise<QueuedJob[]> {
  const rows = await db
    .selectFrom('jobs')
    .selectAll()
    .where('state', 'in', OPEN_STATES)
    .orderBy('created_at_ms')
    .orderBy('id')
    .execute();
  return rows.map(jobOf);
}

export interface JobChange {
  readonly state: Job['state'];
  readonly progressPct: number;
  readonly message: string;
  readonly error: Job['error'];
}

/** Changes a job that has not ended; false when it has, or when there is none. */
export async function updateJob(db: Rows, id: string, change: JobChange, nowMs: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('jobs')
    .set({
      state: change.state,
      progress_pct: change.progressPct,
      message: change.message,
      error_code: change.error?.code ?? null,
      error_detail: change.error?.detail ?? null,
      updated_at_ms: nowMs,
    })
    .where('id', '=', id)
    .where('state', 'in', OPEN_STATES)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

/** As the API shows it, with what has been decided for the profiles it was asked for. */
export async function publicJob(db: Rows, queued: QueuedJob): Promise<Job> {
  const { request, actor: _actor, ...job } = queued;
  const choices = await listChoices(db, job.model, job.version);
  return {
    ...job,
    choices: choices
      .filter(({ profile }) => request.profiles.includes(profile))
      .map(({ profile, candidates }) => ({
        profile,
        candidates: candidates.map(({ recipe, verdict, why }) => ({ recipe, verdict, why })),
      })),
  };
}

function jobOf(row: Selectable<JobTable>): QueuedJob {
  const { request, actor } = JSON.parse(row.json_request) as StoredRequest;
  return {
    id: row.id,
    kind: jobSchema.shape.kind.parse(row.kind),
    state: jobSchema.shape.state.parse(row.state),
    model: row.model,
    version: row.version,
    progressPct: row.progress_pct,
    message: row.message,
    error: row.error_code === null ? null : { code: row.error_code, detail: row.error_detail ?? '' },
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    request: createVariantsSchema.parse(request),
    actor,
  };
}
