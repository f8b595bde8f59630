// The five committed versions of the digit reader with their contracts, and real images, as uploads.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ApiClient } from '#control-plane/cli/api-client.ts';
import { jobSchema, modelVersionDetailSchema, modelVersionSchema, type ModelVersion } from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { modelContractSchema } from '#protocol/model-contract.ts';
import { datasetBytes, testImages, trainImages, type DigitImages } from './digits-data.ts';

const MODELS = new URL('../fixtures/models/digits/', import.meta.url);
const CALIBRATION_IMAGES = 200;
const EVALUATION_IMAGES = 1_000;
/** Version 2 is version 1's weights with a wrong contract. */
const WEIGHTS_OF: Readonly<Record<number, number>> = { 2: 1 };

export interface DigitDatasets {
  readonly calibrationSha256: string;
  readonly evaluationSha256: string;
  readonly live: DigitImages;
}

/** Uploads images for calibration (training split) and evaluation (test split). */
export async function uploadDatasets(api: ApiClient): Promise<DigitDatasets> {
  const live = await testImages();
  const calibrationSha256 = await upload(api, datasetBytes(await trainImages(), CALIBRATION_IMAGES));
  const evaluationSha256 = await upload(api, datasetBytes(live, EVALUATION_IMAGES));
  return { calibrationSha256, evaluationSha256, live };
}

/** Uploads weights, golden vectors and contract of a version; answers the same version when it is there. */
export async function importVersion(api: ApiClient, version: number): Promise<ModelVersion> {
  const folder = new URL(`v${version}/`, MODELS);
  const contract = modelContractSchema.parse(
    JSON.parse(await readFile(new URL('contract.json', folder), 'utf8')),
  );
  await upload(api, await readFile(new URL(`v${WEIGHTS_OF[version] ?? version}/weights.onnx`, MODELS)));
  await upload(api, await readFile(new URL(`v${WEIGHTS_OF[version] ?? version}/golden.safetensors`, MODELS)));
  return await api.post('/models/digits/versions', {
    body: { contract, version },
    answer: modelVersionSchema,
  });
}

/** Compresses a version for the profiles and evaluates every variant; resolves when the job has ended. */
export async function compressVersion(
  api: ApiClient,
  version: number,
  profiles: readonly string[],
  datasets: DigitDatasets,
  poll: <T>(look: () => Promise<T | null>) => Promise<T>,
  onProgress: (message: string, progressPct: number) => void,
): Promise<ModelVersion> {
  const { calibrationSha256, evaluationSha256 } = datasets;
  const path = `/models/digits/versions/${version}`;
  const body = { profiles, calibrationSha256, evaluationSha256 };
  const { id } = await api.post(`${path}/variants`, { body, answer: jobSchema });
  const job = await poll(async () => {
    const now = await api.get(`/jobs/${id}`, jobSchema);
    onProgress(now.message, now.progressPct);
    return now.state === 'queued' || now.state === 'running' ? null : now;
  });
  if (job.state !== 'succeeded') {
    throw new HoldfastError(
      'compression-failed',
      `job ${id} ${job.state}: ${job.error?.detail ?? job.message}`,
    );
  }
  return await api.get(path, modelVersionDetailSchema);
}

async function upload(api: ApiClient, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await api.putBlob(sha256, bytes);
  return sha256;
}
