// Evaluates one model over a labelled dataset, inside the child process: answers in batches, then latencies of
// single requests, both beside a reference model where there is one.

import type { JobProgress } from '../../compression/child/job-messages.ts';
import { openSession } from '../../compression/ort-session.ts';
import { measureAccuracy } from '../accuracy.ts';
import { compareWithOriginal } from '../comparison.ts';
import { disagreementRate } from '../disagreement.ts';
import type { LabelledImages } from '../labelled-images.ts';
import { summariseLatencies } from '../latency-summary.ts';
import type { EvaluationReport } from '../report.ts';
import { sqnrDb } from '../sqnr.ts';
import { topClass } from '../top-class.ts';
import { answerAll } from './answer-all.ts';
import type { EvaluatedContract, EvaluationSettings } from './evaluation-settings.ts';
import { measureLatency } from './measure-latency.ts';

/**
 * The report without the dataset's digest and the memory. Throws `contract-mismatch`, `dataset-invalid` or
 * `model-load-failed`.
 */
export async function evaluateModel(
  model: Uint8Array,
  reference: Uint8Array | null,
  images: LabelledImages,
  contract: EvaluatedContract,
  settings: EvaluationSettings,
  progress: (progress: JobProgress) => void,
): Promise<Omit<EvaluationReport, 'datasetSha256' | 'memoryBytes'>> {
  const options = {
    optimise: true,
    ...(settings.threads === undefined ? {} : { threads: settings.threads }),
  };
  const report = (phase: string) => (done: number, total: number) => progress({ phase, done, total });
  await using session = await openSession(model, options);
  await using original = reference === null ? null : await openSession(reference, options);
  const outputs = await answerAll(session, images, contract, settings, report('evaluate'));
  const expected = original && (await answerAll(original, images, contract, settings, report('reference')));
  const { runsMs, pairs } = await measureLatency(
    session, original, images, contract, settings, report('latency'),
  ); // prettier-ignore
  const latency = summariseLatencies(runsMs);
  const isClassifier = contract.postprocess.kind === 'classify';
  const predictions = isClassifier ? outputs.map(topClass) : null;
  const expectedPredictions = isClassifier && expected !== null ? expected.map(topClass) : null;
  const measured = predictions && measureAccuracy(images.labels, predictions, contract.labels);
  const answers = predictions &&
    expectedPredictions && { truths: images.labels, original: expectedPredictions, variant: predictions };
  return {
    samples: images.count,
    accuracy: measured?.accuracy ?? null,
    perClass: [...(measured?.perClass ?? [])],
    confusions: [...(measured?.confusions ?? [])],
    sizeBytes: model.byteLength,
    latencyRuns: latency.runs,
    latencyP50Ms: latency.p50Ms,
    latencyP95Ms: latency.p95Ms,
    disagreement: answers && disagreementRate(answers.original, answers.variant),
    sqnrDb: expected && sqnrDb(expected, outputs),
    comparison: expected && compareWithOriginal(answers, contract.labels, pairs),
  };
}
