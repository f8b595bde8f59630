// Runs whole models in tests.

import { encodeModel } from '#control-plane/compression/onnx/codec.ts';
import type { ModelProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { openSession, runModel } from '#control-plane/compression/ort-session.ts';
import type { TensorFeed } from '#control-plane/compression/tensor-feed.ts';

export interface Output {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** The output "y" of each feed. */
export async function outputsOf(model: ModelProto, feeds: readonly TensorFeed[]): Promise<Output[]> {
  await using opened = await openSession(encodeModel(model), { optimise: false, threads: 1 });
  const outputs: Output[] = [];
  for (const feed of feeds) {
    const { y } = await runModel(opened.session, feed, ['y']);
    outputs.push({ shape: y?.dims ?? [], values: y?.data as Float32Array });
  }
  return outputs;
}

/** The largest difference, as a share of the largest expected value. */
export function relativeError(expected: readonly Output[], actual: readonly Output[]): number {
  let [error, largest] = [0, 0];
  expected.forEach(({ values }, index) =>
    values.forEach((value, at) => {
      largest = Math.max(largest, Math.abs(value));
      error = Math.max(error, Math.abs(value - (actual[index]?.values[at] ?? Number.NaN)));
    }),
  );
  return error / largest;
}
