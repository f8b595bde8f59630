// What the Image and Director repositories say about a release, and the manifest they bind (DESIGN.md
// section 4). The manifest's own bytes are the TUF target `<model>/<version>/<profile>.json`.

import { z } from 'zod';
import {
  blobRefSchema,
  counterSchema,
  deviceIdSchema,
  modelNameSchema,
  profileNameSchema,
  sha256Schema,
  versionNumberSchema,
} from './identifiers.ts';
import { goldenToleranceSchema, modelContractSchema } from './model-contract.ts';
import { compressionRecipeSchema, precisionSchema } from './compression.ts';

/** How a device tries a release before and after it serves. */
export const deploymentPolicySchema = z.strictObject({
  /** `shadow` compares with the version in service on live frames; `direct` goes from golden to serving. */
  mode: z.enum(['shadow', 'direct']),
  /** Pairs before a pass may be said. */
  minPairs: z.int().min(1).max(1_000_000),
  /** Without a verdict by then the device stays on what it has and says so. */
  shadowDeadlineMs: z
    .int()
    .min(1_000)
    .max(7 * 86_400_000),
  probationMs: z
    .int()
    .min(0)
    .max(7 * 86_400_000),
  /** A candidate is slower when its latency is above (1 + this) times the baseline's. */
  latencyMargin: z.number().min(0).max(10),
  /** Chance of turning away a version that is not worse, over any number of looks. */
  alpha: z.number().gt(0).max(0.5),
});
export type DeploymentPolicy = z.infer<typeof deploymentPolicySchema>;

export const DEFAULT_DEPLOYMENT_POLICY: DeploymentPolicy = {
  mode: 'shadow',
  minPairs: 100,
  shadowDeadlineMs: 600_000,
  probationMs: 60_000,
  latencyMargin: 0.1,
  alpha: 0.001,
};

export const imageCustomSchema = z.strictObject({
  profile: profileNameSchema,
  releaseCounter: counterSchema,
  /** sha256 of the contract that authors signed as the version's source; the pipeline must name it. */
  sourceSha256: sha256Schema.optional(),
});
export type ImageCustom = z.infer<typeof imageCustomSchema>;

export const directorCustomSchema = z.strictObject({
  deviceId: deviceIdSchema,
  rolloutId: z.string().min(1).max(64),
  /** Higher than any order this device has had; an older one is a replay. */
  seq: counterSchema,
  profile: profileNameSchema,
  releaseCounter: counterSchema,
  policy: deploymentPolicySchema,
});
export type DirectorCustom = z.infer<typeof directorCustomSchema>;

export const RELEASE_MANIFEST_SCHEMA = 'holdfast.release/v1';

export const releaseManifestSchema = z.strictObject({
  schema: z.literal(RELEASE_MANIFEST_SCHEMA),
  model: modelNameSchema,
  version: versionNumberSchema,
  profile: profileNameSchema,
  /** Rises with every release of the model that is signed; the floor is held against it. */
  releaseCounter: counterSchema,
  contract: modelContractSchema,
  variant: z.strictObject({
    weights: blobRefSchema,
    precision: precisionSchema,
    recipe: compressionRecipeSchema,
    /** sha256 of the author's weights that this was made from. */
    sourceSha256: sha256Schema,
    /** Golden tolerance that holds for this variant. */
    tolerance: goldenToleranceSchema,
  }),
});
export type ReleaseManifest = z.infer<typeof releaseManifestSchema>;

export function releaseTargetPath(model: string, version: number, profile: string): string {
  return `${model}/${version}/${profile}.json`;
}
