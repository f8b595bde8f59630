// LSTM as com.microsoft DynamicQuantizeLSTM: 8-bit weights, activations quantized on each run. Weights are s8 and
// symmetric whatever the recipe says, one scale a direction or one a gate's row. Source: onnxruntime.quantization.

import { attributeOf } from '../onnx/attributes.ts';
import { makeNode, toNumber } from '../onnx/messages.ts';
import type { NodeProto, TensorProto } from '../onnx/onnx-types.ts';
import { dimsOf, readFloats } from '../onnx/tensor-data.ts';
import { inMicrosoftDomain } from './microsoft-domain.ts';
import { integerTensor, quantizeConstant } from './quantize-constant.ts';
import type { Quantized, QuantizedTensors } from './quantized-tensors.ts';

const INPUTS_OF_LSTM = 8;

/** Why an LSTM cannot be replaced; null when it can. */
export function lstmUnfit(node: NodeProto, tensors: QuantizedTensors): string | null {
  if (toNumber(attributeOf(node, 'layout')?.i) !== 0) return 'its batch comes first';
  const weights = [node.input[1] ?? '', node.input[2] ?? ''];
  for (const name of weights) {
    const tensor = tensors.constant(name);
    if (tensor === undefined || dimsOf(tensor).length !== 3) return 'its weights are not constant float32';
    if (tensors.find(name) !== undefined) return 'another node quantized its weights';
  }
  return weights[0] === weights[1] ? 'its two weights are one' : null;
}

/** W is [directions, 4 x hidden, input], R [directions, 4 x hidden, hidden]; both are written transposed. */
export function writeDynamicLstm(
  node: NodeProto,
  how: { readonly perChannel: boolean; readonly reduceRange: boolean },
  tensors: QuantizedTensors,
): void {
  for (const name of node.input) tensors.dequantize(name);
  const parts = [node.input[1] ?? '', node.input[2] ?? ''].map((name) =>
    quantizeGates(tensors.constant(name) as TensorProto, how, tensors),
  );
  tensors.graph.initializer.push(...parts.map(({ weight }) => weight));
  const inputs = Array.from({ length: INPUTS_OF_LSTM }, (_, at) => node.input[at] ?? '');
  parts.forEach(({ names }, at) => (inputs[at + 1] = names.name));
  inputs.push(...parts.flatMap(({ names }) => [names.scale, names.zeroPoint]));
  const attributes = node.attribute.filter(({ name }) => name !== 'layout');
  const name = node.name ? `${node.name}_quant` : '';
  const made = makeNode('DynamicQuantizeLSTM', inputs, node.output, name, attributes);
  tensors.writeLowered(inMicrosoftDomain(made));
}

function quantizeGates(
  tensor: TensorProto,
  { perChannel, reduceRange }: { readonly perChannel: boolean; readonly reduceRange: boolean },
  tensors: QuantizedTensors,
): { names: Quantized; weight: TensorProto } {
  const [directions = 0, rows = 0, columns = 0] = dimsOf(tensor);
  const dims = perChannel ? [directions * rows, columns] : [directions, rows, columns];
  const how = { type: 's8', symmetric: true, reduced: reduceRange, axis: 0 } as const;
  const { params, values } = quantizeConstant(readFloats(tensor), dims, how);
  const names = tensors.namesOf(tensor.name ?? '', 0);
  tensors.addParams(names, params, perChannel ? [directions, rows] : [directions]);
  const transposed = transposeEach(values, [directions, rows, columns]);
  return { names, weight: integerTensor(names.name, [directions, columns, rows], transposed) };
}

/** [directions, rows, columns] as [directions, columns, rows]. */
function transposeEach(
  values: Uint8Array | Int8Array,
  [directions, rows, columns]: readonly [number, number, number],
): Uint8Array | Int8Array {
  const made = values.slice();
  for (let direction = 0; direction < directions; direction++) {
    const start = direction * rows * columns;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        made[start + column * rows + row] = values[start + row * columns + column] as number;
      }
    }
  }
  return made;
}
