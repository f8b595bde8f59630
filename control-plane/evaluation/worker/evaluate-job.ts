// Evaluates one model over a labelled dataset, inside the child process: answers in batches, then latencies of
// single requests.

import type { JobProgress } from '../../compression/child/job-messages.ts';
import { openSession } from '../../compression/ort-session.ts';
import { measureAccuracy } from '../accuracy.ts';
import { disagreementRate } from '../disagreement.ts';
import type { LabelledImages } from '../labelled-images.ts';
import type { EvaluationReport } from '../report.ts';
import { sqnrDb } from '../sqnr.ts';
import { topClass } from '../top-class.ts';
import { answerAll } from './answer-all.ts';
import type { EvaluatedContract, EvaluationSettings } from './evaluation-settings.ts';
import { measureLatency } from './measure-latency.ts';

/** The report without the dataset's digest. Throws `contract-mismatch`, `dataset-invalid` or `model-load-failed`. */
export async function evaluateModel(
  model: Uint8Array,
  reference: Uint8Array | null,
  images: LabelledImages,
  contract: EvaluatedContract,
  settings: EvaluationSettings,
  progress: (progress: JobProgress) => void,
): Promise<Omit<EvaluationReport, 'datasetSha256'>> {
  const threads = settings.threads === undefined ? {} : { threads: settings.threads };
  const report = (phase: string) => (done: number, total: number) => progress({ phase, done, total });
  await using session = await openSession(model, { optimise: true, ...threads });
  const outputs = await answerAll(session, images, contract, settings, report('evaluate'));
  const latency = await measureLatency(session, images, contract, settings, report('latency'));
  const expected = await referenceOutputs();
  const predictions = contract.postprocess.kind === 'classify' ? outputs.map(topClass) : null;
  const measured = predictions && measureAccuracy(images.labels, predictions, contract.labels);
  return {
    samples: images.count,
    accuracy: measured?.accuracy ?? null,
    perClass: [...(measured?.perClass ?? [])],
    confusions: [...(measured?.confusions ?? [])],
    sizeBytes: model.byteLength,
    latencyRuns: latency.runs,
    latencyP50Ms: latency.p50Ms,
    latencyP95Ms: latency.p95Ms,
    disagreement: predictions && expected && disagreementRate(expected.map(topClass), predictions),
    sqnrDb: expected && sqnrDb(expected, outputs),
  };

  async function referenceOutputs(): Promise<Float32Array[] | null> {
    if (reference === null) return null;
    await using other = await openSession(reference, { optimise: true, ...threads });
    return await answerAll(other, images, contract, settings, report('reference'));
  }
}
