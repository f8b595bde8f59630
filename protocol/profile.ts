// A device class: what it has, what a model may cost on it, and how a version is compressed for it.
// One JSON file a profile under firmware-profiles/.

import { z } from 'zod';
import { compressionRecipeSchema } from './compression.ts';
import { profileNameSchema } from './identifiers.ts';

export const EXECUTION_PROVIDERS = ['cpu', 'cuda', 'tensorrt'] as const;
export const executionProviderSchema = z.enum(EXECUTION_PROVIDERS);
export type ExecutionProvider = z.infer<typeof executionProviderSchema>;

export const profileSchema = z.strictObject({
  schema: z.literal('holdfast.profile/v1'),
  name: profileNameSchema,
  description: z.string().min(1).max(500),
  architecture: z.enum(['x64', 'arm64', 'any']),
  /** In order of preference; the first must really be used, a silent fall back fails preflight. */
  executionProviders: z.array(executionProviderSchema).min(1).max(3),
  memoryBytes: z
    .int()
    .positive()
    .max(2 ** 42),
  budgets: z.strictObject({
    p95LatencyMs: z.number().positive().max(3_600_000),
    weightsBytes: z
      .int()
      .positive()
      .max(64 * 1024 ** 3),
    /** Peak of the process that runs the model, its runtime included. */
    memoryBytes: z
      .int()
      .positive()
      .max(2 ** 42),
  }),
  /**
   * Whether the processors multiply 8-bit numbers in one instruction (AVX-VNNI, AVX512-VNNI). Absent where it is
   * not known; a machine that differs says nothing about latencies of this profile.
   */
  vnni: z.boolean().exactOptional(),
  compression: z.strictObject({
    /** What is tried, in order of preference: an earlier one is passed over only for a gain beyond noise. */
    candidates: z.array(compressionRecipeSchema).min(1).max(16),
    /** Share of the task's metric that a variant may lose against the original, 0 to 1. */
    maxAccuracyLoss: z.number().min(0).max(1),
  }),
  /** Tolerance of a compressed variant on the golden vectors; the original keeps the contract's own. */
  compressedTolerance: z.strictObject({
    /** Largest difference as a share of the expected outputs' peak-to-peak range, 0 to 1. */
    maxRangeShare: z.number().min(0).max(1),
    minTop1Agreement: z.number().min(0).max(1),
  }),
});
export type DeviceProfile = z.infer<typeof profileSchema>;
