// Queries of models, versions and variants; rows in, protocol values out.

import type { Kysely, Selectable } from 'kysely';
import {
  evaluationSchema, variantSchema, type Evaluation, type Model, type ModelVersion, type Variant,
} from '#protocol/api.ts'; // prettier-ignore
import { HoldfastError } from '#protocol/errors.ts';
import {
  goldenToleranceSchema,
  modelContractSchema,
  type GoldenTolerance,
} from '#protocol/model-contract.ts';
import { compressionRecipeSchema } from '#protocol/compression.ts';
import type { Database, VariantTable, VersionTable } from '../store/schema.ts';

type Rows = Kysely<Database>;

export async function listModels(db: Rows): Promise<Model[]> {
  const rows = await db
    .selectFrom('models')
    .innerJoin('versions', 'versions.model', 'models.name')
    .select(({ fn }) => [
      'models.name',
      'models.created_at_ms',
      fn.max('versions.version').as('latest'),
      fn.countAll<number>().as('count'),
    ])
    .groupBy(['models.name', 'models.created_at_ms'])
    .orderBy('models.name')
    .execute();
  return rows.map((row) => ({
    name: row.name,
    latestVersion: row.latest,
    versions: row.count,
    createdAtMs: row.created_at_ms,
  }));
}

/** Newest first. */
export async function listVersions(db: Rows, model: string): Promise<ModelVersion[]> {
  const rows = await db
    .selectFrom('versions')
    .selectAll()
    .where('model', '=', model)
    .orderBy('version', 'desc')
    .execute();
  const variants = await db.selectFrom('variants').selectAll().where('model', '=', model).execute();
  const byVersion = Map.groupBy(variants, (variant) => variant.version);
  return rows.map((row) => versionOf(row, byVersion.get(row.version) ?? []));
}

export async function findVersion(db: Rows, model: string, version: number): Promise<ModelVersion | null> {
  const row = await db
    .selectFrom('versions')
    .selectAll()
    .where('model', '=', model)
    .where('version', '=', version)
    .executeTakeFirst();
  return row === undefined ? null : versionOf(row, await variantRows(db, model, version));
}

/** Throws `not-found`. */
export async function getVersion(db: Rows, model: string, version: number): Promise<ModelVersion> {
  const found = await findVersion(db, model, version);
  if (found !== null) return found;
  throw new HoldfastError('not-found', `the model ${model} has no version ${version}`, {
    hint: `GET /api/v1/models/${model}/versions lists those there are`,
  });
}

export async function setVersionEvaluation(
  db: Rows,
  model: string,
  version: number,
  evaluation: Evaluation,
): Promise<void> {
  await db
    .updateTable('versions')
    .set({ json_evaluation: JSON.stringify(evaluation) })
    .where('model', '=', model)
    .where('version', '=', version)
    .execute();
}

export interface NewVariant {
  readonly variant: Omit<Variant, 'releaseCounter' | 'manifestSha256'>;
  readonly tolerance: GoldenTolerance;
}

/** Does nothing when the version has a variant for the profile: variants never change. */
export async function insertVariant(
  db: Rows,
  model: string,
  version: number,
  { variant, tolerance }: NewVariant,
  nowMs: number,
): Promise<void> {
  await db
    .insertInto('variants')
    .values({
      model,
      version,
      profile: variant.profile,
      precision: variant.precision,
      weights_sha256: variant.weights.sha256,
      weights_size_bytes: variant.weights.sizeBytes,
      json_recipe: JSON.stringify(variant.recipe),
      json_tolerance: JSON.stringify(tolerance),
      json_report: JSON.stringify(variant.report),
      json_evaluation: variant.evaluation === null ? null : JSON.stringify(variant.evaluation),
      json_comparison: variant.comparison === null ? null : JSON.stringify(variant.comparison),
      release_counter: null,
      manifest_sha256: null,
      created_at_ms: nowMs,
    })
    .onConflict((conflict) => conflict.columns(['model', 'version', 'profile']).doNothing())
    .execute();
}

/** All variants of a version by profile, or the one for `profile`. */
export function variantRows(
  db: Rows,
  model: string,
  version: number,
  profile?: string,
): Promise<Selectable<VariantTable>[]> {
  const all = db
    .selectFrom('variants')
    .selectAll()
    .where('model', '=', model)
    .where('version', '=', version)
    .orderBy('profile');
  return (profile === undefined ? all : all.where('profile', '=', profile)).execute();
}

export function toleranceOf(row: Selectable<VariantTable>): GoldenTolerance {
  return goldenToleranceSchema.parse(JSON.parse(row.json_tolerance));
}

export function variantOf(row: Selectable<VariantTable>): Variant {
  return {
    profile: row.profile,
    precision: variantSchema.shape.precision.parse(row.precision),
    weights: { sha256: row.weights_sha256, sizeBytes: row.weights_size_bytes },
    recipe: compressionRecipeSchema.parse(JSON.parse(row.json_recipe)),
    releaseCounter: row.release_counter,
    manifestSha256: row.manifest_sha256,
    evaluation: evaluationOf(row.json_evaluation),
    report: variantSchema.shape.report.parse(JSON.parse(row.json_report)),
    comparison: variantSchema.shape.comparison.parse(JSON.parse(row.json_comparison ?? 'null')),
  };
}

function versionOf(row: Selectable<VersionTable>, variants: Selectable<VariantTable>[]): ModelVersion {
  return {
    model: row.model,
    version: row.version,
    contractSha256: row.contract_sha256,
    contract: modelContractSchema.parse(JSON.parse(row.json_contract)),
    createdAtMs: row.created_at_ms,
    evaluation: evaluationOf(row.json_evaluation),
    variants: variants.map(variantOf).sort((a, b) => (a.profile < b.profile ? -1 : 1)),
  };
}

function evaluationOf(json: string | null): Evaluation | null {
  return json === null ? null : evaluationSchema.parse(JSON.parse(json));
}
