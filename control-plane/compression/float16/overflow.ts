// Finds the tensors whose values are too large for half precision: constants by looking, activations by running the
// float model on real samples.

import { encodeModel, graphOf } from '../onnx/codec.ts';
import type { TensorType } from '../onnx/infer-types.ts';
import type { GraphProto, ModelProto } from '../onnx/onnx-types.ts';
import { isFloatTensor, readFloats } from '../onnx/tensor-data.ts';
import { openSession, runModel } from '../ort-session.ts';
import { extremeOf, withExtremes, type Extreme } from '../quantize/augment.ts';
import type { StepContext } from '../step.ts';
import { LARGEST_HALF } from './half-tensor.ts';

const ENDS: readonly Extreme[] = ['minimum', 'maximum'];
/** Samples differ less than this factor between each other. */
const HEADROOM = 2;
const ENOUGH_SAMPLES = 32;

/** Names of the float32 constants with a finite value that would become infinite. */
export function overflowingConstants(graph: GraphProto): Set<string> {
  const overflows = (value: number) => Number.isFinite(value) && !Number.isFinite(Math.f16round(value));
  const found = graph.initializer.filter((one) => isFloatTensor(one) && readFloats(one).some(overflows));
  return new Set(found.map(({ name = '' }) => name));
}

/** Names of float32 activations that come within a factor of two of float16's largest number; infinity fits. */
export async function overflowingActivations(
  model: ModelProto,
  types: ReadonlyMap<string, TensorType>,
  context: Pick<StepContext, 'samples' | 'sampleCount' | 'progress'>,
): Promise<Set<string>> {
  if (context.sampleCount === 0) return new Set();
  const graph = graphOf(model);
  const names = graph.node.flatMap((node) => node.output).filter((name) => types.get(name)?.dtype === 'FP32');
  const outputs = names.flatMap((_, index) => ENDS.map((end) => extremeOf(end, index)));
  const augmented = encodeModel(withExtremes(model, graph, names, ENDS));
  await using opened = await openSession(augmented, { optimise: true });
  const largest = new Float64Array(names.length);
  let done = 0;
  const total = Math.min(ENOUGH_SAMPLES, context.sampleCount);
  for await (const sample of context.samples) {
    const made = await runModel(opened.session, sample, outputs);
    names.forEach((_, index) => {
      for (const end of ENDS) {
        const [value = 0] = (made[extremeOf(end, index)]?.data ?? []) as Float32Array;
        const size = Number.isFinite(value) ? Math.abs(value) : 0;
        largest[index] = Math.max(largest[index] as number, size);
      }
    });
    context.progress({ phase: 'range', done: (done += 1), total });
    if (done >= total) break;
  }
  return new Set(names.filter((_, index) => (largest[index] as number) * HEADROOM > LARGEST_HALF));
}
