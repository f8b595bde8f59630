// The models that serving is measured with, and one input for each.

import type { LoadRequest, Tensor } from '#agent/ports/runtime.ts';
import { detectionLoad, digitsLoad } from '#test/fakes/worker-models.ts';
import { seededUniform } from './seeded-uniform.ts';

export const BENCH_MODELS = ['digits', 'text-detection'] as const;
export type BenchModel = (typeof BENCH_MODELS)[number];

export interface BenchSubject {
  readonly load: LoadRequest;
  readonly input: string;
  readonly tensor: Tensor;
}

/** Digits: under 1 ms a run, where every part of the way shows. Text detection at 320 x 320: some 20 ms, 1.2 MB a request. */
export function benchSubject(model: BenchModel): BenchSubject {
  if (model === 'digits') return { load: digitsLoad(), input: 'image', tensor: noise([1, 1, 28, 28]) };
  return { load: detectionLoad(), input: 'x', tensor: noise([1, 3, 320, 320]) };
}

function noise(shape: number[]): Tensor {
  const uniform = seededUniform(1);
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, uniform);
  return { dtype: 'FP32', shape, data: new Uint8Array(values.buffer) };
}
