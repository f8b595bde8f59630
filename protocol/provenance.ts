// Where a version and its variants come from, as SLSA provenance: statements, and the chain of them as the API answers
// it. Pure. Invariant: of a version only what its contract claims is said, so that anybody can make the same again.
// Source: SLSA v1.0, provenance/v1; in-toto Statement v1.

import { z } from 'zod';
import { compressionRecipeSchema, type CompressionRecipe } from './compression.ts';
import { STATEMENT_TYPE } from './dsse.ts';
import { profileNameSchema, sha256Schema } from './identifiers.ts';
import { VERSION_FILES, type SignedVersion } from './model-signing.ts';
import { authorSignatureSchema, roleNameSchema } from './trust.ts';

export const PROVENANCE_TYPE = 'https://slsa.dev/provenance/v1';
const TRAINING = 'urn:holdfast:build:training:v1';
const COMPRESSION = 'urn:holdfast:build:compression:v1';

export const BUILDERS = {
  /** The author signed what she claims of her training. */
  author: 'urn:holdfast:builder:author',
  /** The control plane signed what the author claims; nobody saw the training. */
  claimed: 'urn:holdfast:builder:claimed-by-author',
  /** The control plane signed what it did. */
  controlPlane: 'urn:holdfast:builder:control-plane',
} as const;

const text = z.string().max(500);
const resourceSchema = z.strictObject({
  name: text,
  digest: z.strictObject({ sha256: sha256Schema }),
  annotations: z.strictObject({ title: text }).optional(),
});
export type ProvenanceResource = z.infer<typeof resourceSchema>;

const trainingSchema = z.strictObject({
  buildType: z.literal(TRAINING),
  externalParameters: z.strictObject({
    model: text,
    hyperParameters: z.record(z.string().max(100), z.union([z.string().max(1_000), z.number(), z.boolean()])),
    seed: z.int().nullable(),
  }),
  resolvedDependencies: z.array(resourceSchema).max(20),
});
const compressionSchema = z.strictObject({
  buildType: z.literal(COMPRESSION),
  externalParameters: z.strictObject({
    model: text,
    version: z.int(),
    profile: profileNameSchema,
    recipe: compressionRecipeSchema,
  }),
  resolvedDependencies: z.array(resourceSchema).max(20),
});

export const provenanceStatementSchema = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.array(resourceSchema).min(1).max(10),
  predicateType: z.literal(PROVENANCE_TYPE),
  predicate: z.strictObject({
    buildDefinition: z.discriminatedUnion('buildType', [trainingSchema, compressionSchema]),
    runDetails: z.strictObject({
      builder: z.strictObject({ id: text, version: z.record(text, text).optional() }),
      metadata: z.strictObject({ invocationId: text }).optional(),
    }),
  }),
});
export type ProvenanceStatement = z.infer<typeof provenanceStatementSchema>;

/** What a version's contract claims of its training. `parents` are weights by version number. */
export function versionStatement(
  source: SignedVersion & { readonly parents: ReadonlyMap<number, string> },
  builder: 'author' | 'claimed',
): ProvenanceStatement {
  const { contract, contractSha256, parents } = source;
  const { weights, golden, model, lineage } = contract;
  const { dataset, codeSha256, hyperParameters, seed, trainingJob } = lineage;
  return statement(
    [
      resource(VERSION_FILES.weights, weights.sha256),
      resource(VERSION_FILES.golden, golden.sha256),
      resource(VERSION_FILES.contract, contractSha256),
    ],
    {
      buildType: TRAINING,
      externalParameters: { model, hyperParameters, seed },
      resolvedDependencies: [
        ...(dataset === null ? [] : [resource('dataset', dataset.sha256, dataset.name)]),
        ...(codeSha256 === null ? [] : [resource('code', codeSha256)]),
        ...[...parents].map(([version, sha256]) => resource('parent', sha256, `${model}/${version}`)),
      ],
    },
    {
      builder: { id: BUILDERS[builder] },
      ...(trainingJob === null ? {} : { metadata: { invocationId: trainingJob } }),
    },
  );
}

/** How the control plane made a variant. */
export function variantStatement(made: {
  readonly model: string;
  readonly version: number;
  readonly profile: string;
  readonly recipe: CompressionRecipe;
  readonly weightsSha256: string;
  readonly sourceSha256: string;
  readonly calibrationSha256: string | null;
  readonly evaluationSha256: string | null;
  readonly packageVersion: string;
}): ProvenanceStatement {
  const { model, version, profile, recipe, calibrationSha256, evaluationSha256 } = made;
  return statement(
    [resource(`${model}/${version}/${profile}.onnx`, made.weightsSha256)],
    {
      buildType: COMPRESSION,
      externalParameters: { model, version, profile, recipe },
      resolvedDependencies: [
        resource('source', made.sourceSha256, `${model}/${version}`),
        ...(calibrationSha256 === null ? [] : [resource('calibration', calibrationSha256)]),
        ...(evaluationSha256 === null ? [] : [resource('evaluation', evaluationSha256)]),
      ],
    },
    { builder: { id: BUILDERS.controlPlane, version: { holdfast: made.packageVersion } } },
  );
}

function statement(
  subject: ProvenanceResource[],
  buildDefinition: ProvenanceStatement['predicate']['buildDefinition'],
  runDetails: ProvenanceStatement['predicate']['runDetails'],
): ProvenanceStatement {
  const predicate = { buildDefinition, runDetails };
  return { _type: STATEMENT_TYPE, subject, predicateType: PROVENANCE_TYPE, predicate };
}

function resource(name: string, sha256: string, title?: string): ProvenanceResource {
  return { name, digest: { sha256 }, ...(title === undefined ? {} : { annotations: { title } }) };
}

// --- as the API answers it

const signedSchema = z.strictObject({
  /** The blob that holds it. */
  sha256: sha256Schema,
  keyId: sha256Schema.nullable(),
  /** Whose key it is; null when it is nobody's that may sign this today. */
  signer: z.enum(['author', 'control-plane']).nullable(),
  /** The person's name, when the key has one. */
  owner: z.string().max(100),
  /** Found when it was asked for: the signature fits, and so does what it says. */
  verified: z.boolean(),
  /** What is wrong; null when verified. */
  problem: z.string().max(1_000).nullable(),
});

export const provenanceItemSchema = signedSchema.extend({
  /** Null for the version itself. */
  profile: profileNameSchema.nullable(),
  statement: provenanceStatementSchema.nullable(),
});
export type ProvenanceItem = z.infer<typeof provenanceItemSchema>;

export const provenanceSchema = z.strictObject({
  /** Who signs for the authors of the model, how many of them must, and whether their OpenSSF signature is asked for. */
  authors: z.strictObject({
    role: roleNameSchema,
    threshold: z.int().min(1),
    authorSignature: authorSignatureSchema,
  }),
  /** The authors' signature over the files of the version; null without one. */
  signature: signedSchema.nullable(),
  /** The version first, then its variants by profile. */
  items: z.array(provenanceItemSchema),
  /** Links that are missing. */
  missing: z.array(z.string().max(500)),
});
export type Provenance = z.infer<typeof provenanceSchema>;
