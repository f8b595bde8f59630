// How many bytes one sample is, with every tensor that the model computes of it: what a calibration run without
// fusions holds at most.

import { withOutputs } from '#control-plane/compression/quantize/augment.ts';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { openSession, runModel } from '#control-plane/compression/ort-session.ts';
import type { TensorFeed } from '#control-plane/compression/tensor-feed.ts';

export async function batchBytes(weights: Uint8Array, sample: TensorFeed): Promise<number> {
  const model = decodeModel(weights);
  const graph = graphOf(model);
  const names = graph.node
    .filter(({ opType }) => opType !== 'Constant')
    .flatMap(({ output }) => output.filter((name) => name !== ''));
  await using opened = await openSession(encodeModel(withOutputs(model, graph, names)), { optimise: false });
  const outputs = await runModel(opened.session, sample);
  const sizes = Object.values(outputs).map(({ data }) => (ArrayBuffer.isView(data) ? data.byteLength : 0));
  const inputs = Object.values(sample).map(({ data }) => data.byteLength);
  return [...inputs, ...sizes].reduce((sum, size) => sum + size, 0);
}
