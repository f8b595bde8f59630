// Queries of signed statements: authors' signatures and provenance, by what they are about.

import type { Kysely } from 'kysely';
import type { Database } from '../store/schema.ts';
import { findTrial } from './trial-store.ts';
import type { VariantsRequest } from './job-store.ts';
import type { Variant } from '#protocol/api.ts';

type Rows = Kysely<Database>;

export interface Attested {
  readonly model: string;
  readonly version: number;
  readonly kind: 'author-signature' | 'provenance';
  /** Null for the version itself. */
  readonly profile: string | null;
}

/** Digest of the blob; null when there is none. */
export async function findAttestation(db: Rows, about: Attested): Promise<string | null> {
  const row = await db
    .selectFrom('attestations')
    .select('sha256')
    .where('model', '=', about.model)
    .where('version', '=', about.version)
    .where('kind', '=', about.kind)
    .where('profile', '=', about.profile ?? '')
    .executeTakeFirst();
  return row?.sha256 ?? null;
}

/** Takes the place of an earlier one. */
export async function putAttestation(db: Rows, about: Attested, sha256: string, atMs: number): Promise<void> {
  const { model, version, kind, profile } = about;
  const stored = { sha256, created_at_ms: atMs };
  await db
    .insertInto('attestations')
    .values({ model, version, kind, profile: profile ?? '', ...stored })
    .onConflict((conflict) => conflict.columns(['model', 'version', 'kind', 'profile']).doUpdateSet(stored))
    .execute();
}

/** The dataset that a variant's ranges come from: of the job that made this very file; null without one. */
export async function calibrationOf(
  db: Rows,
  model: string,
  version: number,
  { recipe, weights, evaluation }: Variant,
): Promise<string | null> {
  const jobs = await db
    .selectFrom('jobs')
    .select('json_request')
    .where('model', '=', model)
    .where('version', '=', version)
    .execute();
  const asked = jobs.map(({ json_request: json }) => {
    const { request } = JSON.parse(json) as { request: VariantsRequest };
    return request.calibrationSha256 ?? null;
  });
  const evaluationSha256 = evaluation?.datasetSha256 ?? null;
  for (const calibrationSha256 of new Set(asked)) {
    if (calibrationSha256 === null) continue;
    const trial = await findTrial(db, model, version, { recipe, calibrationSha256, evaluationSha256 });
    if (trial?.weights.sha256 === weights.sha256) return calibrationSha256;
  }
  return null;
}
