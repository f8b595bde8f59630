// Element types and shapes of a model's tensors as ONNX Runtime infers them: the model is loaded with every
// tensor as an output, and is not run. Native code runs here, so only child processes call this.

import type { Tensor } from 'onnxruntime-node';
import { openSession } from '../ort-session.ts';
import { encodeModel, graphOf } from './codec.ts';
import { dtypeOf, type OnnxDtype } from './data-types.ts';
import { makeValueInfo } from './messages.ts';
import type { GraphProto, ModelProto } from './onnx-types.ts';
import { dimsOf } from './tensor-data.ts';

export interface TensorType {
  readonly dtype: OnnxDtype;
  /** A free dimension is a name or ''. Absent where the shape is not known; ONNX Runtime tells scalars so too. */
  readonly shape?: readonly (number | string)[];
}

/**
 * Types of the inputs, initializers and node outputs of the main graph, by name. Tensors inside subgraphs and
 * values that are no tensors (sequences, maps) are left out. Throws `model-load-failed`.
 */
export async function tensorTypes(model: ModelProto): Promise<Map<string, TensorType>> {
  const graph = graphOf(model);
  const types = new Map<string, TensorType>();
  await using opened = await openSession(encodeModel(withEveryOutput(model, graph)), { optimise: false });
  for (const value of [...opened.session.inputMetadata, ...opened.session.outputMetadata]) {
    if (!value.isTensor) continue;
    const dtype = DTYPES.get(value.type) ?? 'OTHER';
    types.set(value.name, value.shape.length === 0 ? { dtype } : { dtype, shape: value.shape });
  }
  for (const tensor of graph.initializer) {
    types.set(tensor.name ?? '', { dtype: dtypeOf(tensor.dataType ?? 0), shape: dimsOf(tensor) });
  }
  return types;
}

function withEveryOutput(model: ModelProto, graph: GraphProto): ModelProto {
  const known = new Set([...graph.output, ...graph.input].map((value) => value.name));
  const names = new Set(graph.node.flatMap((node) => node.output));
  const added = [...names].filter((name) => name !== '' && !known.has(name));
  return {
    ...model,
    graph: { ...graph, output: [...graph.output, ...added.map((name) => makeValueInfo(name))] },
  };
}

/** What ONNX Runtime's JavaScript interface calls the element types; it has no name for bfloat16 and float8. */
const DTYPES: ReadonlyMap<Tensor.Type, OnnxDtype> = new Map<Tensor.Type, OnnxDtype>([
  ['float32', 'FP32'], ['float64', 'FP64'], ['float16', 'FP16'], ['bool', 'BOOL'], ['string', 'BYTES'],
  ['uint8', 'UINT8'], ['int8', 'INT8'], ['uint16', 'UINT16'], ['int16', 'INT16'], ['uint32', 'UINT32'],
  ['int32', 'INT32'], ['uint64', 'UINT64'], ['int64', 'INT64'],
]); // prettier-ignore
