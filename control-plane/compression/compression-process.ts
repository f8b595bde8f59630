// Compression in a child process: samples and weights go in as files of a scratch folder, the variant comes back
// the same way.

import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { compressionReportSchema, variantComparisonSchema } from '#protocol/compression.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { DEFAULT_JOB_LIMITS, runJob, type JobLimits, type JobOptions } from './child/run-job.ts';
import { ScratchDir } from './child/scratch-dir.ts';
import type { PipelineRequest, PipelineResult } from './pipeline.ts';
import { encodeFeed, type TensorFeed } from './tensor-feed.ts';

export interface ProcessOptions extends Partial<Omit<JobOptions, 'limits' | 'tempDir'>> {
  readonly limits?: JobLimits;
  /** Where the scratch folder is made; the system's temporary folder by default. */
  readonly scratchRoot?: string;
}

const resultSchema = z.strictObject({
  report: compressionReportSchema,
  comparison: variantComparisonSchema.nullable(),
});

export interface Samples {
  readonly feeds: AsyncIterable<TensorFeed> | Iterable<TensorFeed>;
  /** How many of them are used. */
  readonly limit: number;
  /** The right class of each, in order. */
  readonly labels?: readonly number[];
}

/** All calibration samples together may take this much disk. */
const MAX_SAMPLES_BYTES = 4 * 1024 ** 3;

/** Compresses in a child process. Throws as `compressModel` and `runJob` do. */
export async function compressInChild(
  { weights, ...request }: PipelineRequest,
  samples: Samples,
  options: ProcessOptions = {},
): Promise<PipelineResult & { weights: Uint8Array }> {
  await using scratch = await ScratchDir.create(options.scratchRoot ?? tmpdir());
  const outPath = scratch.file('variant.onnx');
  const job = prepareJob(scratch, weights, samples, options.signal).then((prepared) => ({
    ...request,
    ...prepared,
    outPath,
  }));
  const entry = fileURLToPath(import.meta.resolve('#control-plane/compression/worker-main.ts'));
  const limits = options.limits ?? DEFAULT_JOB_LIMITS;
  try {
    const result = await runJob(entry, job, { ...options, limits, tempDir: scratch.path });
    return { weights: await readFile(outPath), ...resultSchema.parse(result) };
  } finally {
    // The folder goes only when nothing writes into it any more; what was thrown has been passed on.
    await Promise.allSettled([job]);
  }
}

/** Writes what the child reads. */
async function prepareJob(
  scratch: ScratchDir,
  weights: Uint8Array,
  { feeds, limit, labels }: Samples,
  signal: AbortSignal | undefined,
): Promise<{ weightsPath: string; samplePaths: string[]; labels: readonly number[] | null }> {
  const weightsPath = scratch.file('model.onnx');
  await writeFile(weightsPath, weights);
  const samplePaths = await writeSamples(scratch, feeds, limit, signal);
  return { weightsPath, samplePaths, labels: labels?.slice(0, samplePaths.length) ?? null };
}

async function writeSamples(
  scratch: ScratchDir,
  samples: AsyncIterable<TensorFeed> | Iterable<TensorFeed>,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const paths: string[] = [];
  let sizeBytes = 0;
  for await (const sample of samples) {
    if (signal?.aborted === true) throw new HoldfastError('cancelled', 'the job was cancelled');
    const bytes = encodeFeed(sample);
    sizeBytes += bytes.byteLength;
    if (sizeBytes > MAX_SAMPLES_BYTES) {
      throw new HoldfastError(
        'dataset-invalid',
        `the calibration samples take more than ${MAX_SAMPLES_BYTES} bytes`,
        {
          hint: 'calibrate with fewer samples; a few hundred are enough',
        },
      );
    }
    const path = scratch.file(`sample-${paths.length}.safetensors`);
    await writeFile(path, bytes);
    if (paths.push(path) === limit) break;
  }
  return paths;
}
