// What an evaluation found, as stored with a version or variant and shown to people. Field names are those of
// `Evaluation` in protocol/api.ts, with more detail.

import { z } from 'zod';
import { variantComparisonSchema } from '#protocol/compression.ts';
import { sha256Schema } from '#protocol/identifiers.ts';

const share = z.number().min(0).max(1);
const durationMs = z.number().min(0);

export const evaluationReportSchema = z.strictObject({
  datasetSha256: sha256Schema,
  samples: z.int().min(1),
  /** Share of right top-1 answers; null when the contract has no classification. */
  accuracy: share.nullable(),
  perClass: z.array(z.strictObject({ label: z.string(), count: z.int(), accuracy: share })),
  /** Wrong answers by kind, most frequent first; -1 is no answer. */
  confusions: z.array(z.strictObject({ truth: z.int(), predicted: z.int(), count: z.int() })),
  sizeBytes: z.int().min(1),
  /** Single requests on this machine, after warm-up. */
  latencyRuns: z.int().min(1),
  latencyP50Ms: durationMs,
  latencyP95Ms: durationMs,
  /** Peak of a process with just this model loaded and run. */
  memoryBytes: z.int().min(0),
  /** Share of samples whose top-1 differs from the reference model's; null without one. */
  disagreement: share.nullable(),
  /** Noise against the reference model's output; null without one, or where there is none. */
  sqnrDb: z.number().nullable(),
  /** Null without a reference model. */
  comparison: variantComparisonSchema.nullable(),
});
export type EvaluationReport = z.infer<typeof evaluationReportSchema>;
