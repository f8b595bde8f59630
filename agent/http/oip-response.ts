// An answer of the Open Inference Protocol v2: the raw outputs, and for classification `class_labels` (BYTES)
// and `class_scores` (FP32), best first. A model's own output of one of these names takes precedence.

import type { ServerResponse } from 'node:http';
import { HoldfastError } from '#protocol/errors.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import type { Tensor } from '../ports/runtime.ts';
import type { ServeAnswer } from '../supervisor/serving/serving-types.ts';
import type { OipRequest } from './oip-request.ts';
import { packElements, tensorToJson } from './oip-tensors.ts';

/** Answers up to this size are joined into one write. */
const JOIN_BYTES = 64 * 1024;

/** Writes the whole response. Throws `bad-request` when an output is asked for that does not exist. */
export function writeAnswer(response: ServerResponse, request: OipRequest, answer: ServeAnswer): void {
  const available = allOutputs(answer);
  const wanted =
    request.outputs ?? new Map(Object.keys(available).map((name) => [name, request.isBinaryByDefault]));
  const binary: Uint8Array[] = [];
  const outputs = [...wanted].map(([name, isBinary]) => {
    const tensor = available[name];
    if (tensor === undefined) throw noSuchOutput(name, Object.keys(available));
    const described = { name, datatype: tensor.dtype, shape: tensor.shape };
    if (!isBinary) return { ...described, data: tensorToJson(tensor) };
    binary.push(tensor.data);
    return { ...described, parameters: { binary_data_size: tensor.data.byteLength } };
  });
  const { model, version } = answer.release;
  const json = Buffer.from(
    JSON.stringify({
      model_name: model,
      model_version: String(version),
      ...(request.id === undefined ? {} : { id: request.id }),
      parameters: { version, latencyMs: rounded(answer.latencyMs), runMs: rounded(answer.result.runMs) },
      outputs,
    }),
  );
  send(response, json, binary);
}

/** What a model answers, by output name. */
export function outputNames(
  contract: ModelContract,
): { name: string; datatype: Tensor['dtype']; shape: readonly number[] }[] {
  const own = contract.outputs.map(({ name, dtype, shape }) => ({ name, datatype: dtype, shape }));
  if (contract.postprocess.kind !== 'classify') return own;
  const classes = [
    { name: 'class_labels', datatype: 'BYTES' as const, shape: [-1] },
    { name: 'class_scores', datatype: 'FP32' as const, shape: [-1] },
  ];
  return [...own, ...classes.filter(({ name }) => !own.some((output) => output.name === name))];
}

function allOutputs({ result, contract }: ServeAnswer): Readonly<Record<string, Tensor>> {
  if (contract.postprocess.kind !== 'classify') return result.outputs;
  const { classes } = result;
  const scores = Float32Array.from(classes, ({ score }) => score);
  return {
    class_labels: {
      dtype: 'BYTES',
      shape: [classes.length],
      data: packElements(classes.map(({ label }) => Buffer.from(label))),
    },
    class_scores: { dtype: 'FP32', shape: [classes.length], data: new Uint8Array(scores.buffer) },
    ...result.outputs,
  };
}

function send(response: ServerResponse, json: Buffer, binary: readonly Uint8Array[]): void {
  const sizeBytes = binary.reduce((sum, { byteLength }) => sum + byteLength, json.length);
  const isBinary = binary.length > 0;
  response.writeHead(200, {
    'Content-Type': isBinary ? 'application/octet-stream' : 'application/json',
    'Content-Length': sizeBytes,
    ...(isBinary ? { 'Inference-Header-Content-Length': json.length } : {}),
  });
  if (sizeBytes <= JOIN_BYTES) {
    response.end(isBinary ? Buffer.concat([json, ...binary], sizeBytes) : json);
    return;
  }
  response.cork();
  response.write(json);
  for (const part of binary) response.write(part);
  response.end();
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

function noSuchOutput(name: string, available: readonly string[]): HoldfastError {
  return new HoldfastError('bad-request', `the model has no output ${name}`, {
    hint: `it has ${available.join(', ')}`,
  });
}
