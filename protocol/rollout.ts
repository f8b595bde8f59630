// A rollout's plan and phases, as people and programs see them through the API.

import { z } from 'zod';
import { labelsSchema } from './access.ts';
import { deploymentReasonSchema, deploymentStateSchema } from './deployment.ts';
import { evidenceSchema } from './evidence.ts';
import {
  counterSchema,
  deviceIdSchema,
  modelNameSchema,
  profileNameSchema,
  timestampMsSchema,
  versionNumberSchema,
} from './identifiers.ts';
import { deploymentPolicySchema } from './release.ts';

export const ROLLOUT_PHASES = [
  'draft', 'awaiting-approval', 'scheduled', 'progressing', 'paused', 'rolling-back', 'completed', 'rolled-back', 'aborted',
] as const; // prettier-ignore
export const rolloutPhaseSchema = z.enum(ROLLOUT_PHASES);
export type RolloutPhase = z.infer<typeof rolloutPhaseSchema>;

export const waveSchema = z.strictObject({
  /** Devices of this wave: a count, or a percentage of all selected (rounded up, at least one). */
  size: z.union([
    z.strictObject({ count: z.int().min(1).max(1_000_000) }),
    z.strictObject({ percent: z.number().gt(0).max(100) }),
  ]),
  /** Time the whole wave must stay healthy before the next begins. */
  soakMs: z
    .int()
    .min(0)
    .max(30 * 86_400_000),
});
export type Wave = z.infer<typeof waveSchema>;

export const rolloutGatesSchema = z.strictObject({
  /** More failed or rolled-back devices than this in one wave turn the rollout around. */
  maxFailedPerWave: z.int().min(0).max(1_000_000),
  /** A device without an ending by then counts as failed. */
  deviceDeadlineMs: z
    .int()
    .min(1_000)
    .max(30 * 86_400_000),
  /** What to do when a gate fails. */
  onFailure: z.enum(['rollback', 'pause']),
});
export type RolloutGates = z.infer<typeof rolloutGatesSchema>;

export const rolloutPlanSchema = z.strictObject({
  /** Wave 0 is the canary; devices that the last wave leaves over join it. */
  waves: z.array(waveSchema).min(1).max(100),
  gates: rolloutGatesSchema,
  policy: deploymentPolicySchema,
  /** Waits in `awaiting-approval` until a person starts it. */
  approval: z.boolean(),
  /** Waits in `scheduled` until then. */
  startAtMs: timestampMsSchema.nullable(),
});
export type RolloutPlan = z.infer<typeof rolloutPlanSchema>;

/** Empty selects the whole fleet; given parts must all match. */
export const selectorSchema = z.strictObject({
  devices: z.array(deviceIdSchema).max(100_000).optional(),
  profiles: z.array(profileNameSchema).max(100).optional(),
  labels: labelsSchema.optional(),
});
export type Selector = z.infer<typeof selectorSchema>;

export const rolloutDeviceSchema = z.strictObject({
  deviceId: deviceIdSchema,
  profile: profileNameSchema,
  wave: z.int().min(0),
  /** Order number the device was given; null until its wave began. */
  seq: counterSchema.nullable(),
  state: deploymentStateSchema,
  reason: deploymentReasonSchema.nullable(),
  detail: z.string().nullable(),
  fromVersion: versionNumberSchema.nullable(),
  evidence: z.array(evidenceSchema),
  /** Set while and after this device is sent back to `fromVersion`. */
  rollbackState: deploymentStateSchema.nullable(),
  startedAtMs: timestampMsSchema.nullable(),
  updatedAtMs: timestampMsSchema,
});
export type RolloutDevice = z.infer<typeof rolloutDeviceSchema>;

export const rolloutSchema = z.strictObject({
  id: z.string(),
  model: modelNameSchema,
  version: versionNumberSchema,
  phase: rolloutPhaseSchema,
  /** Why it is in this phase, for people. */
  reason: z.string().nullable(),
  plan: rolloutPlanSchema,
  selector: selectorSchema,
  wave: z.int().min(0),
  /** When the current wave's soak ends; null while it still deploys. */
  soakUntilMs: timestampMsSchema.nullable(),
  createdAtMs: timestampMsSchema,
  updatedAtMs: timestampMsSchema,
  devices: z.array(rolloutDeviceSchema),
});
export type Rollout = z.infer<typeof rolloutSchema>;
