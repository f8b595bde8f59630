// A candidate timed on a device: what is asked and answered, and the signed document that lets a device run it.
// Invariant: a measurement target is no release. Its path, its custom fields and its schema all differ, so that
// neither can be taken for the other.

import { z } from 'zod';
import { deviceTimingSchema, precisionSchema } from './compression.ts';
import { blobRefSchema, modelNameSchema, profileNameSchema, versionNumberSchema } from './identifiers.ts';
import { modelContractSchema } from './model-contract.ts';

export const MAX_MEASURE_RUNS = 1_000;
/** From the request to the answer, downloads included. */
export const MAX_MEASURE_MS = 120_000;

/** What the Image repository signs beside a measurement target. */
export const measureCustomSchema = z.strictObject({
  profile: profileNameSchema,
  purpose: z.literal('measure'),
});
export type MeasureCustom = z.infer<typeof measureCustomSchema>;

export const MEASUREMENT_SCHEMA = 'holdfast.measurement/v1';

/** The bytes of a measurement target. */
export const measurementManifestSchema = z.strictObject({
  schema: z.literal(MEASUREMENT_SCHEMA),
  model: modelNameSchema,
  version: versionNumberSchema,
  profile: profileNameSchema,
  precision: precisionSchema,
  weights: blobRefSchema,
  /** Inputs of its golden vectors are what is run; its own weights are the author's. */
  contract: modelContractSchema,
});
export type MeasurementManifest = z.infer<typeof measurementManifestSchema>;

const TARGET_PATH = /^[^/]{1,63}\/[1-9][0-9]{0,9}\/candidates\/[0-9a-f]{16}\.json$/;

/** `manifestSha256` is of the target's own bytes, so a path never gets others. */
export function measureTargetPath(model: string, version: number, manifestSha256: string): string {
  return `${model}/${version}/candidates/${manifestSha256.slice(0, 16)}.json`;
}

/** Whether a target path lies where measurements do, and releases never. */
export function isMeasureTargetPath(path: string): boolean {
  return TARGET_PATH.test(path);
}

const requestIdSchema = z.string().min(1).max(64);

/** Asks a device to time a candidate. May come more than once; one request is carried out once. */
export const measureCommandSchema = z.strictObject({
  kind: z.literal('measure'),
  requestId: requestIdSchema,
  targetPath: z.string().max(300).regex(TARGET_PATH, 'must be a measurement target'),
  manifest: blobRefSchema,
  runs: z.int().min(1).max(MAX_MEASURE_RUNS),
  /** Time from the arrival of the request until its answer is of no use any more. */
  deadlineMs: z.int().min(1_000).max(MAX_MEASURE_MS),
});
export type MeasureCommand = z.infer<typeof measureCommandSchema>;

/** Milliseconds of the model alone; the topic says which device it was. */
const measuredTimingSchema = deviceTimingSchema
  .omit({ deviceId: true })
  .extend({ runs: z.int().min(1).max(MAX_MEASURE_RUNS) })
  .refine(({ p50Ms, p95Ms }) => p50Ms <= p95Ms, { path: ['p95Ms'], message: 'must not be below p50Ms' });
export type MeasuredTiming = z.infer<typeof measuredTimingSchema>;

export const replyBodySchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('measured'), requestId: requestIdSchema, timing: measuredTimingSchema }),
  z.strictObject({
    kind: z.literal('measure-failed'),
    requestId: requestIdSchema,
    code: z.string().max(50),
    detail: z.string().max(1_000),
  }),
]);
export type ReplyBody = z.infer<typeof replyBodySchema>;
