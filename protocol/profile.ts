// A device class: what it has, what a model may cost on it, and how a version is compressed for it.
// One JSON file a profile under firmware-profiles/.

import { z } from 'zod';
import { profileNameSchema } from './identifiers.ts';

export const EXECUTION_PROVIDERS = ['cpu', 'cuda', 'tensorrt'] as const;
export const executionProviderSchema = z.enum(EXECUTION_PROVIDERS);
export type ExecutionProvider = z.infer<typeof executionProviderSchema>;

/** What a profile asks of the compression: the original weights, or static int8 in QDQ form. */
export const compressionRecipeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('original') }),
  z.strictObject({
    kind: z.literal('static-int8'),
    /** Activation type; weights are always s8, symmetric. */
    activation: z.enum(['u8', 's8']),
    perChannel: z.boolean(),
    /** Weights in -64..64, against saturation of u8s8 products on x86 without VNNI. */
    reduceRange: z.boolean(),
    calibration: z.strictObject({
      method: z.literal('minmax'),
      samples: z.int().min(1).max(100_000),
    }),
  }),
]);
export type CompressionRecipe = z.infer<typeof compressionRecipeSchema>;

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
  }),
  compression: compressionRecipeSchema,
  /** Tolerance of a compressed variant on the golden vectors; the original keeps the contract's own. */
  compressedTolerance: z.strictObject({
    /** Largest difference as a share of the expected outputs' peak-to-peak range, 0 to 1. */
    maxRangeShare: z.number().min(0).max(1),
    minTop1Agreement: z.number().min(0).max(1),
  }),
});
export type DeviceProfile = z.infer<typeof profileSchema>;
