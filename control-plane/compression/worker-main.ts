// Entry of the compression's child process: one job, then the parent ends it.

import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { compressionRecipeSchema } from '#protocol/profile.ts';
import { serveJob } from './child/serve-job.ts';
import { quantizeStatic } from './quantize-job.ts';
import { decodeFeed, type TensorFeed } from './tensor-feed.ts';

const jobSchema = z.strictObject({
  recipe: compressionRecipeSchema.refine((recipe) => recipe.kind === 'static-int8'),
  weightsPath: z.string(),
  /** One safetensors file a sample. */
  samplePaths: z.array(z.string()),
  outPath: z.string(),
});

process.once('disconnect', () => process.exit(1));

await serveJob(async (raw, progress) => {
  const job = jobSchema.parse(raw);
  const samples: AsyncIterable<TensorFeed> = {
    async *[Symbol.asyncIterator]() {
      for (const path of job.samplePaths) yield decodeFeed(await readFile(path));
    },
  };
  const { weights, report } = await quantizeStatic(
    await readFile(job.weightsPath),
    job.recipe,
    samples,
    progress,
  );
  await writeFile(job.outPath, weights);
  return report;
});
