// Shapes that inference does not find, seen on one run. Invariant: only the number of dimensions is relied on,
// which no exporter lets depend on the input; the equivalence check after the edit covers the rest.

import { Tensor } from 'onnxruntime-node';
import { encodeModel, graphOf } from '../onnx/codec.ts';
import type { TensorType } from '../onnx/infer-types.ts';
import { makeValueInfo } from '../onnx/messages.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';
import { openSession, runModel } from '../ort-session.ts';
import type { TensorFeed } from '../tensor-feed.ts';

/** Operators whose nodes say something else by another rank. */
const NEED_RANK = new Set(['Softmax', 'LogSoftmax', 'Hardmax']);

/** `types` with the shapes of what softmax nodes read, where they were missing, as they are for `feed`. */
export async function withObservedShapes(
  model: ModelProto,
  types: ReadonlyMap<string, TensorType>,
  feed: TensorFeed,
): Promise<ReadonlyMap<string, TensorType>> {
  const graph = graphOf(model);
  const given = new Set([...graph.input, ...graph.output].map(({ name }) => name));
  const read = graph.node
    .filter(({ opType }) => NEED_RANK.has(opType ?? ''))
    .map(({ input }) => input[0] ?? '');
  const missing = [...new Set(read)].filter(
    (name) => types.has(name) && types.get(name)?.shape === undefined,
  );
  if (missing.length === 0) return types;
  const added = missing.filter((name) => !given.has(name)).map((name) => makeValueInfo(name));
  const observed = { ...model, graph: { ...graph, output: [...graph.output, ...added] } };
  await using opened = await openSession(encodeModel(observed), { optimise: false });
  const seen = await runModel(opened.session, feed, missing);
  const shapes = missing.flatMap((name) => {
    const value = seen[name];
    const dtype = types.get(name)?.dtype;
    return value instanceof Tensor && dtype !== undefined
      ? [[name, { dtype, shape: value.dims }] as const]
      : [];
  });
  return new Map([...types, ...shapes]);
}
