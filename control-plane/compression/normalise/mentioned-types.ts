// Which element types a model's file speaks of. Invariant: a tensor can only have a float type that a graph input or
// output, a constant or an attribute of some node names, or float32.

import { dtypeOf, type OnnxDtype } from '../onnx/data-types.ts';
import { toNumber } from '../onnx/messages.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';
import { allGraphs, allNodes, allTensors } from '../onnx/walk.ts';

/** Attributes that name the element type of what a node gives. */
const TYPE_ATTRIBUTES = new Set(['to', 'dtype', 'output_datatype', 'output_dtype']);

/** Whether a value, constant or attribute anywhere in the model names one of `dtypes`. */
export function mentionsTypes(model: ModelProto, dtypes: readonly OnnxDtype[]): boolean {
  const isOne = (dataType: number | undefined) => dtypes.includes(dtypeOf(dataType ?? 0));
  for (const { input, output, valueInfo } of model.graph ? allGraphs(model.graph) : []) {
    if ([...input, ...output, ...valueInfo].some(({ type }) => isOne(type?.tensorType?.elemType)))
      return true;
  }
  for (const tensor of allTensors(model)) if (isOne(tensor.dataType)) return true;
  for (const node of allNodes(model)) {
    const typed = node.attribute.filter(({ name }) => TYPE_ATTRIBUTES.has(name ?? ''));
    if (typed.some(({ i }) => isOne(toNumber(i)))) return true;
  }
  return false;
}
