// Entry of the compression's child process: one job, then the parent ends it.

import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { compressionRecipeSchema } from '#protocol/compression.ts';
import { serveJob } from './child/serve-job.ts';
import type { LossyRecipe } from './lower-precision.ts';
import { compressModel } from './pipeline.ts';
import { decodeFeed, type TensorFeed } from './tensor-feed.ts';

const jobSchema = z.strictObject({
  recipe: compressionRecipeSchema.refine((recipe): recipe is LossyRecipe => recipe.kind !== 'original'),
  exact: z.boolean(),
  detailed: z.boolean(),
  compared: z.boolean(),
  weightsPath: z.string(),
  /** One safetensors file a sample. */
  samplePaths: z.array(z.string()),
  labels: z.array(z.int().min(0)).nullable(),
  outPath: z.string(),
});

process.once('disconnect', () => process.exit(1));

await serveJob(async (raw, progress) => {
  const { weightsPath, samplePaths, labels, outPath, ...request } = jobSchema.parse(raw);
  const samples: AsyncIterable<TensorFeed> = {
    async *[Symbol.asyncIterator]() {
      for (const path of samplePaths) yield decodeFeed(await readFile(path));
    },
  };
  const { weights, ...result } = await compressModel(
    { weights: await readFile(weightsPath), ...request },
    { samples, sampleCount: samplePaths.length, labels, progress },
  );
  await writeFile(outPath, weights);
  return result;
});
