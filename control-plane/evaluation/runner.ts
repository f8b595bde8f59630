// The use case: measure a model over a labelled dataset, in a child process.

import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { DEFAULT_JOB_LIMITS, runJob, type JobOptions } from '../compression/child/run-job.ts';
import { ScratchDir } from '../compression/child/scratch-dir.ts';
import type { ProcessOptions } from '../compression/compression-process.ts';
import { evaluationReportSchema, type EvaluationReport } from './report.ts';
import type { EvaluatedContract, EvaluationSettings } from './worker/evaluation-settings.ts';

/** Bytes in memory, or a file that stays as it is until the evaluation ends. */
export type FileOrBytes = Uint8Array | { readonly path: string };

export interface EvaluationRequest extends ProcessOptions {
  readonly model: FileOrBytes;
  /** The model to compare with, such as the original of a variant. */
  readonly reference?: FileOrBytes;
  /** Labelled images, see labelled-images.ts. */
  readonly dataset: FileOrBytes;
  readonly contract: EvaluatedContract;
  readonly settings?: Partial<EvaluationSettings>;
}

const DEFAULT_SETTINGS: EvaluationSettings = {
  batch: 64,
  warmUpRuns: 20,
  latencyRuns: 200,
  maxLatencyMs: 20_000,
};

/**
 * Evaluates in a child process that is gone when the promise settles. Throws `dataset-invalid`,
 * `safetensors-malformed`, `contract-mismatch`, `model-load-failed`, `cancelled`, `deadline-exceeded`,
 * `memory-short` or `worker-crashed`; no file is left behind.
 */
export async function evaluate(request: EvaluationRequest): Promise<EvaluationReport> {
  const { limits = DEFAULT_JOB_LIMITS, signal, progress, scratchRoot = tmpdir() } = request;
  const { inputs, outputs, preprocess, postprocess, labels } = request.contract;
  await using scratch = await ScratchDir.create(scratchRoot);
  const job = {
    modelPath: await asFile(request.model, scratch.file('model.onnx')),
    referencePath: request.reference && (await asFile(request.reference, scratch.file('reference.onnx'))),
    datasetPath: await asFile(request.dataset, scratch.file('dataset.safetensors')),
    contract: { inputs, outputs, preprocess, postprocess, labels },
    settings: { ...DEFAULT_SETTINGS, ...request.settings },
  };
  const entry = fileURLToPath(import.meta.resolve('#control-plane/evaluation/worker/main.ts'));
  const options: JobOptions = { limits, ...(signal && { signal }), ...(progress && { progress }) };
  return evaluationReportSchema.parse(
    await runJob(entry, { ...job, referencePath: job.referencePath ?? null }, options),
  );
}

async function asFile(source: FileOrBytes, path: string): Promise<string> {
  if (!(source instanceof Uint8Array)) return source.path;
  await writeFile(path, source);
  return path;
}
