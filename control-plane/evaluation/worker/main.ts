// Entry of the evaluation's child process: one job, then the parent ends it.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { serveJob } from '../../compression/child/serve-job.ts';
import { postprocessSchema, preprocessSchema, tensorSpecSchema } from '#protocol/model-contract.ts';
import { decodeLabelledImages } from '../labelled-images.ts';
import { evaluateModel } from './evaluate-job.ts';
import { measureMemory } from './measure-memory.ts';

const jobSchema = z.strictObject({
  modelPath: z.string(),
  referencePath: z.string().nullable(),
  datasetPath: z.string(),
  contract: z.object({
    inputs: z.array(tensorSpecSchema),
    outputs: z.array(tensorSpecSchema),
    preprocess: preprocessSchema,
    postprocess: postprocessSchema,
    labels: z.array(z.string()),
  }),
  settings: z.object({
    batch: z.int().min(1),
    warmUpRuns: z.int().min(0),
    latencyRuns: z.int().min(1),
    maxLatencyMs: z.number().min(0),
    threads: z.int().min(1).exactOptional(),
  }),
});

process.once('disconnect', () => process.exit(1));

await serveJob(async (raw, progress) => {
  const { modelPath, referencePath, datasetPath, contract, settings } = jobSchema.parse(raw);
  const memoryBytes = await measureMemory(modelPath, contract);
  const model = await readFile(modelPath);
  const reference = referencePath === null ? null : await readFile(referencePath);
  const dataset = await readFile(datasetPath);
  const images = decodeLabelledImages(dataset);
  const report = await evaluateModel(model, reference, images, contract, settings, progress);
  return { datasetSha256: createHash('sha256').update(dataset).digest('hex'), memoryBytes, ...report };
});
