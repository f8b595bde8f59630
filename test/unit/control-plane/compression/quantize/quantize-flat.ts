// Quantizes small models without calibrating them, and checks that ONNX Runtime loads what came of it.

import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import type { ModelProto, NodeProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { openSession } from '#control-plane/compression/ort-session.ts';
import { quantizeModel } from '#control-plane/compression/quantize/qdq.ts';
import type { QuantOptions } from '#control-plane/compression/quantize/quant-options.ts';

export const options: QuantOptions = {
  activation: 'u8',
  symmetric: false,
  floatBias: false,
  perChannel: true,
  reduceRange: false,
  exclude: new Set(),
};

/** Quantizes on ranges of -1 to 1 for every tensor there is. */
export function quantizeFlat(model: ModelProto, changed: Partial<QuantOptions> = {}): ReadonlySet<NodeProto> {
  const graph = graphOf(model);
  const names = new Set([
    ...graph.input.map(({ name }) => name ?? ''),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  const ranges = new Map([...names].map((name) => [name, { min: -1, max: 1 }]));
  return quantizeModel(model, ranges, { ...options, ...changed });
}

/** Rejects where ONNX Runtime does not load the model. */
export async function loads(model: ModelProto): Promise<void> {
  await using _ = await openSession(encodeModel(model), { optimise: true });
}
