// What a compression did to a model, as stored with the variant and shown to people.

import { z } from 'zod';
import { compressionRecipeSchema } from '#protocol/profile.ts';

const opCountsSchema = z.record(z.string(), z.int().min(0));

export const compressionReportSchema = z.strictObject({
  recipe: compressionRecipeSchema,
  sizeBytesBefore: z.int().min(0),
  sizeBytesAfter: z.int().min(0),
  /** Operators by type in the whole graph. */
  opsBefore: opCountsSchema,
  opsAfter: opCountsSchema,
  /** Nodes that now compute in 8 bits, by operator. */
  quantized: opCountsSchema,
  /** Relu and Clip nodes whose work the quantized range does, by operator. */
  folded: opCountsSchema,
  /** Nodes that compute in float as before, by operator. */
  float: opCountsSchema,
  /** Operators of `float`, sorted. */
  leftInFloat: z.array(z.string()),
  calibrationSamples: z.int().min(0),
  /** Signal to quantization noise on calibration samples, worst output; null where there is no noise. */
  sqnrDb: z.number().nullable(),
  outputs: z.array(z.strictObject({ name: z.string(), sqnrDb: z.number().nullable() })),
  calibrateMs: z.number().min(0),
  quantizeMs: z.number().min(0),
});
export type CompressionReport = z.infer<typeof compressionReportSchema>;
