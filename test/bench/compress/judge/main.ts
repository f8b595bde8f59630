// The process that runs models for the benchmark: a model that takes its process down takes this one. Answers one
// request at a time; ends with its parent.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { measureLatencyRatio } from '#control-plane/compression/latency/paired-latency.ts';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { constantsToInitializers } from '#control-plane/compression/onnx/constants-to-initializers.ts';
import { raiseOpset } from '#control-plane/compression/normalise/opset.ts';
import { openSession, runModel } from '#control-plane/compression/ort-session.ts';
import { sqnrDb } from '#control-plane/evaluation/sqnr.ts';
import { writeSamples } from '../sample-writer.ts';
import { MissingPart, type Outputs, type Subject } from '../subject.ts';
import { openSubject } from '../subjects.ts';
import { batchBytes } from './batch-bytes.ts';
import type { JudgeAnswer, Judged, JudgeRequest, Opened } from './messages.ts';

interface Standing {
  readonly subject: Subject;
  readonly float: Uint8Array;
  /** Of the float model, one a judged sample. */
  readonly outputs: readonly Outputs[];
}

/** The lowest that the reference quantizes as it is. */
const REFERENCE_OPSET = 11;

let standing: Standing | undefined;

async function open(request: Extract<JudgeRequest, { kind: 'open' }>): Promise<Opened> {
  const subject = await openSubject(request.subject, request.samples ?? undefined);
  const float = prepared(await readFile(subject.weightsPath));
  const modelPath = join(request.folder, '..', 'model.onnx');
  await mkdir(request.folder, { recursive: true });
  await writeFile(modelPath, float);
  await writeSamples(request.folder, subject.calibration, subject.labels);
  const outputs = await outputsOf(float, subject);
  standing = { subject, float, outputs };
  const [sample] = subject.calibration;
  if (sample === undefined) throw new RangeError('a subject needs a calibration sample');
  return {
    modelPath,
    sizeBytes: float.byteLength,
    samples: subject.calibration.length,
    metric: subject.metric,
    score: scoreOf(standing, outputs),
    batchBytes: await batchBytes(float, sample),
    operators: [...new Set(graphOf(decodeModel(float)).node.map(({ opType }) => opType ?? ''))],
  };
}

/**
 * Constant nodes as initializers, since the reference takes only those for weights, and operator sets below 11
 * raised to it, which the reference does by ONNX's converter and ours only where a format needs it.
 */
function prepared(weights: Uint8Array): Uint8Array {
  const model = decodeModel(weights);
  constantsToInitializers(model);
  raiseOpset(model, REFERENCE_OPSET);
  return encodeModel(model);
}

async function judge(path: string): Promise<Judged> {
  if (standing === undefined) throw new RangeError('open a subject first');
  const { subject, float } = standing;
  const model = await readFile(path);
  const outputs = await outputsOf(model, subject);
  const names = Object.keys(standing.outputs[0] ?? {}).filter(
    (name) => standing?.outputs[0]?.[name]?.type === 'float32',
  );
  const noises = names.map((name) =>
    sqnrDb(valuesOf(standing?.outputs ?? [], name), valuesOf(outputs, name)),
  );
  const noisy = noises.filter((noise) => noise !== null);
  return {
    score: scoreOf(standing, outputs),
    sqnrDb: noisy.length === 0 ? null : Math.min(...noisy),
    latency: await measureLatencyRatio(float, model, subject.calibration, { pairs: subject.latencyPairs }),
  };
}

async function outputsOf(model: Uint8Array, { judged }: Subject): Promise<Outputs[]> {
  await using opened = await openSession(model, { optimise: true });
  const outputs: Outputs[] = [];
  for (const { feed } of judged) outputs.push(await runModel(opened.session, feed));
  return outputs;
}

function scoreOf({ subject, outputs: float }: Standing, outputs: readonly Outputs[]): number {
  const points = subject.judged.map((sample, index) =>
    sample.judge(outputs[index] as Outputs, float[index] as Outputs),
  );
  const sum = (key: 'won' | 'of'): number => points.reduce((total, point) => total + point[key], 0);
  return sum('won') / sum('of');
}

function valuesOf(outputs: readonly Outputs[], name: string): Float32Array[] {
  return outputs.map((output) => output[name]?.data as Float32Array);
}

function failureOf(error: unknown): JudgeAnswer {
  if (error instanceof MissingPart) return { missing: error.message };
  return { failed: error instanceof Error ? error.message : String(error) };
}

process.on('message', (request: JudgeRequest) => {
  const answer: Promise<Opened | Judged> = request.kind === 'open' ? open(request) : judge(request.path);
  answer
    .then((value): JudgeAnswer => ({ value }), failureOf)
    .then(
      (sent) => process.send?.(sent),
      (error: unknown) => {
        throw error;
      },
    );
});
process.on('disconnect', () => process.exit(0));
