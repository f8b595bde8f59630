// What can be done to a model's weights for a device class, and what it did: recipes, the report on one variant,
// its comparison with the original, and the candidates a variant was chosen from.

import { z } from 'zod';
import { blobRefSchema, deviceIdSchema } from './identifiers.ts';

const share = z.number().min(0).max(1);

export const calibrationSchema = z.strictObject({
  /** How ranges are taken from what real samples make of each tensor. */
  method: z.enum(['minmax', 'percentile', 'entropy']),
  samples: z.int().min(1).max(100_000),
});
export type Calibration = z.infer<typeof calibrationSchema>;

export const pruningSchema = z.strictObject({
  /** Whole channels, single weights by magnitude, or two of each four weights in a row. */
  structure: z.enum(['channels', 'magnitude', '2:4']),
  /** Share removed, 0 to 0.9; 2:4 always removes half. */
  ratio: z.number().min(0).max(0.9),
  importance: z.enum(['l1', 'l2', 'activation']),
  /** Channels that stay are a multiple of this. */
  roundTo: z.int().min(1).max(64),
  /** Least-squares refit of what reads the pruned tensors, on calibration samples. */
  refit: z.boolean(),
});
export type Pruning = z.infer<typeof pruningSchema>;

/** Mixed precision: layers that cost too much accuracy, or do not pay in time, stay in float. */
export const mixedPrecisionSchema = z.strictObject({
  /** Share of the task's metric that may be lost against the float model, 0 to 1. */
  maxLoss: share,
  /** Whether layers that are no faster in 8 bits on this machine stay in float too. */
  latency: z.boolean(),
});
export type MixedPrecision = z.infer<typeof mixedPrecisionSchema>;

const prune = pruningSchema.exactOptional();

export const compressionRecipeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('original') }),
  /** Float weights with channels or weights removed. */
  z.strictObject({ kind: z.literal('pruned'), prune: pruningSchema }),
  z.strictObject({
    kind: z.literal('static-int8'),
    /** Activation type; weights are always s8, symmetric. */
    activation: z.enum(['u8', 's8']),
    /** Activations with zero point 0, as TensorRT wants them; s8 only. Releases of before do not say. */
    symmetric: z.boolean().default(false),
    /** Biases stay float32 instead of int32. */
    floatBias: z.boolean().default(false),
    perChannel: z.boolean(),
    /** Weights in -64..64, against saturation of u8s8 products on x86 without VNNI. */
    reduceRange: z.boolean(),
    calibration: calibrationSchema,
    /** Quantize only these operators; all that can be when absent. */
    operators: z.array(z.string().min(1).max(100)).min(1).max(100).exactOptional(),
    mixed: mixedPrecisionSchema.exactOptional(),
    prune,
  }),
  z.strictObject({ kind: z.literal('fp16'), prune }),
  z.strictObject({
    kind: z.literal('dynamic-int8'),
    weight: z.enum(['u8', 's8']),
    perChannel: z.boolean(),
    reduceRange: z.boolean(),
    prune,
  }),
  z.strictObject({
    kind: z.literal('int4'),
    /** Round to nearest, or k-quant's weighted search for scale and zero point. */
    algorithm: z.enum(['rtn', 'k-quant']),
    /** Weights of one column that share a scale. */
    blockSize: z.union([z.literal(16), z.literal(32), z.literal(64), z.literal(128), z.literal(256)]),
    symmetric: z.boolean(),
    prune,
  }),
]);
export type CompressionRecipe = z.infer<typeof compressionRecipeSchema>;
export type StaticInt8Recipe = Extract<CompressionRecipe, { kind: 'static-int8' }>;
export type DynamicInt8Recipe = Extract<CompressionRecipe, { kind: 'dynamic-int8' }>;
export type Int4Recipe = Extract<CompressionRecipe, { kind: 'int4' }>;

export const PRECISIONS = ['original', 'float32', 'int8', 'fp16', 'dynamic-int8', 'int4'] as const;
export const precisionSchema = z.enum(PRECISIONS);
export type Precision = z.infer<typeof precisionSchema>;

const opCountsSchema = z.record(z.string(), z.int().min(0));
/** dB, null where there is no noise. */
const sqnrSchema = z.number().nullable();

/** What a compression did to one model, measured on its calibration samples. */
export const compressionReportSchema = z.strictObject({
  sizeBytesBefore: z.int().min(0),
  sizeBytesAfter: z.int().min(0),
  /** Operators by type in the whole graph. */
  opsBefore: opCountsSchema,
  opsAfter: opCountsSchema,
  /** Nodes that compute in a lower precision than float32 now, by operator. */
  lowered: opCountsSchema,
  /** Nodes whose work a quantized range does, by operator. */
  folded: opCountsSchema,
  /** Nodes that compute in float as before, by operator. */
  float: opCountsSchema,
  /** Operators of `float`, sorted. */
  leftInFloat: z.array(z.string()),
  /** What was decided on the way and why, in plain words. */
  notes: z.array(z.string()),
  calibrationSamples: z.int().min(0),
  /** Signal to quantization noise, worst output. */
  sqnrDb: sqnrSchema,
  outputs: z.array(z.strictObject({ name: z.string(), sqnrDb: sqnrSchema })),
  /** Tensors that carry most noise against the original's, worst first. */
  worstLayers: z.array(z.strictObject({ name: z.string(), opType: z.string(), sqnrDb: z.number() })).max(20),
  /** Milliseconds of each phase. */
  phasesMs: z.record(z.string(), z.number().min(0)),
});
export type CompressionReport = z.infer<typeof compressionReportSchema>;

/** A variant against the original it was made from, on the same samples and the same machine. */
export const variantComparisonSchema = z.strictObject({
  /** Accuracy of the variant less the original's, share of samples; null without labels. */
  accuracyChange: z.number().min(-1).max(1).nullable(),
  perClassChange: z.array(z.strictObject({ label: z.string(), change: z.number().min(-1).max(1) })),
  /** Latency of the variant as a share of the original's over interleaved pairs; below 1 is faster. */
  latencyRatio: z.strictObject({
    median: z.number().positive(),
    /** Quartiles over the pairs. */
    low: z.number().positive(),
    high: z.number().positive(),
    pairs: z.int().min(1),
  }),
  /** Samples whose top-1 answers differ. */
  disagreements: z
    .array(
      z.strictObject({ sample: z.int(), truth: z.int().nullable(), original: z.int(), variant: z.int() }),
    )
    .max(20),
});
export type VariantComparison = z.infer<typeof variantComparisonSchema>;

/** What a real device of the profile measured of a candidate. */
export const deviceTimingSchema = z.strictObject({
  deviceId: deviceIdSchema,
  runs: z.int().min(1),
  p50Ms: z.number().min(0),
  p95Ms: z.number().min(0),
  /** Peak resident memory of the process that ran it. */
  memoryBytes: z.int().min(0),
});
export type DeviceTiming = z.infer<typeof deviceTimingSchema>;

export const CANDIDATE_VERDICTS = ['proposed', 'front', 'dominated', 'over-budget', 'failed'] as const;

/** One recipe that was tried for a profile, what came of it, and why it was taken or not. */
export const candidateSchema = z.strictObject({
  recipe: compressionRecipeSchema,
  precision: precisionSchema,
  verdict: z.enum(CANDIDATE_VERDICTS),
  /** The verdict in plain words, with its numbers. */
  why: z.string(),
  /** Null where the recipe failed. */
  weights: blobRefSchema.nullable(),
  /** Share of right top-1 answers; null without a classification or where the recipe failed. */
  accuracy: share.nullable(),
  /** On the control plane's machine. */
  p95Ms: z.number().min(0).nullable(),
  memoryBytes: z.int().min(0).nullable(),
  report: compressionReportSchema.nullable(),
  comparison: variantComparisonSchema.nullable(),
  device: deviceTimingSchema.nullable(),
});
export type Candidate = z.infer<typeof candidateSchema>;
