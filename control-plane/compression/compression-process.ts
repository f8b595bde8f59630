// Static int8 compression in a child process: samples and weights go in as files of a scratch folder, the
// quantized model comes back the same way.

import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from '#protocol/errors.ts';
import { DEFAULT_JOB_LIMITS, runJob, type JobLimits, type JobOptions } from './child/run-job.ts';
import { ScratchDir } from './child/scratch-dir.ts';
import type { StaticInt8Recipe } from './quantize-job.ts';
import { compressionReportSchema, type CompressionReport } from './report.ts';
import { encodeFeed, type TensorFeed } from './tensor-feed.ts';

export interface ProcessOptions extends Partial<Omit<JobOptions, 'limits'>> {
  readonly limits?: JobLimits;
  /** Where the scratch folder is made; the system's temporary folder by default. */
  readonly scratchRoot?: string;
}

/** All calibration samples together may take this much disk. */
const MAX_SAMPLES_BYTES = 4 * 1024 ** 3;

/** Quantizes in a child process. Throws as `quantizeStatic` and `runJob` do. */
export async function quantizeInChild(
  weights: Uint8Array,
  recipe: StaticInt8Recipe,
  calibration: AsyncIterable<TensorFeed> | Iterable<TensorFeed>,
  options: ProcessOptions = {},
): Promise<{ weights: Uint8Array; report: CompressionReport }> {
  await using scratch = await ScratchDir.create(options.scratchRoot ?? tmpdir());
  const weightsPath = scratch.file('model.onnx');
  const outPath = scratch.file('quantized.onnx');
  await writeFile(weightsPath, weights);
  const samplePaths = await writeSamples(scratch, calibration, recipe.calibration.samples, options.signal);
  const entry = fileURLToPath(import.meta.resolve('#control-plane/compression/worker-main.ts'));
  const job = { recipe, weightsPath, samplePaths, outPath };
  const result = await runJob(entry, job, { ...options, limits: options.limits ?? DEFAULT_JOB_LIMITS });
  return { weights: await readFile(outPath), report: compressionReportSchema.parse(result) };
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
