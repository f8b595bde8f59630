// Recipes that were made of a version and measured, and what was chosen of them for each profile, as rows.

import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import { z } from 'zod';
import { evaluationSchema, profileChoiceSchema, type ProfileChoice } from '#protocol/api.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';
import { candidateSchema, type CompressionRecipe } from '#protocol/compression.ts';
import { blobRefSchema } from '#protocol/identifiers.ts';
import type { Database } from '../store/schema.ts';

type Rows = Kysely<Database>;

const candidatesSchema = z.array(candidateSchema);

/** One recipe made of one version, with what was measured of it on this machine; its weights are a blob. */
const madeTrialSchema = candidateSchema
  .pick({
    recipe: true, precision: true, accuracy: true, p95Ms: true, memoryBytes: true, report: true, comparison: true,
  })
  .extend({ weights: blobRefSchema, evaluation: evaluationSchema.nullable() }); // prettier-ignore
export type MadeTrial = z.infer<typeof madeTrialSchema>;

/** What a trial came from beside the version; the same always gives the same. */
export interface TrialSource {
  readonly recipe: CompressionRecipe;
  readonly calibrationSha256: string | null;
  readonly evaluationSha256: string | null;
}

export async function findTrial(
  db: Rows,
  model: string,
  version: number,
  source: TrialSource,
): Promise<MadeTrial | null> {
  const row = await db
    .selectFrom('trials')
    .select('json_trial')
    .where('model', '=', model)
    .where('version', '=', version)
    .where('key_sha256', '=', keyOf(source))
    .executeTakeFirst();
  return row === undefined ? null : madeTrialSchema.parse(JSON.parse(row.json_trial));
}

export async function insertTrial(
  db: Rows,
  model: string,
  version: number,
  source: TrialSource,
  trial: MadeTrial,
  nowMs: number,
): Promise<void> {
  await db
    .insertInto('trials')
    .values({
      model,
      version,
      key_sha256: keyOf(source),
      json_trial: JSON.stringify(trial),
      created_at_ms: nowMs,
    })
    .onConflict((conflict) => conflict.columns(['model', 'version', 'key_sha256']).doNothing())
    .execute();
}

/** Takes the place of an earlier choice, which proposed nothing. */
export async function putChoice(
  db: Rows,
  model: string,
  version: number,
  { profile, candidates, decidedAtMs }: ProfileChoice,
): Promise<void> {
  const decided = { json_candidates: JSON.stringify(candidates), decided_at_ms: decidedAtMs };
  await db
    .insertInto('choices')
    .values({ model, version, profile, ...decided })
    .onConflict((conflict) => conflict.columns(['model', 'version', 'profile']).doUpdateSet(decided))
    .execute();
}

/** By profile. */
export async function listChoices(db: Rows, model: string, version: number): Promise<ProfileChoice[]> {
  const rows = await db
    .selectFrom('choices')
    .selectAll()
    .where('model', '=', model)
    .where('version', '=', version)
    .execute();
  return rows
    .map((row) => ({
      profile: profileChoiceSchema.shape.profile.parse(row.profile),
      decidedAtMs: row.decided_at_ms,
      candidates: candidatesSchema.parse(JSON.parse(row.json_candidates)),
    }))
    .sort((a, b) => (a.profile < b.profile ? -1 : 1));
}

function keyOf(source: TrialSource): string {
  return createHash('sha256').update(canonicalJson(source)).digest('hex');
}
