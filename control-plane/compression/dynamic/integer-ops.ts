// MatMul and Conv in integers: the product of 8-bit tensors in int32, cast to float and scaled back.

import { makeIntAttribute, makeNode } from '../onnx/messages.ts';
import { TensorProtoDataType, type NodeProto } from '../onnx/onnx-types.ts';
import { int64Tensor } from '../onnx/tensor-data.ts';
import type { Quantized, QuantizedTensors } from './quantized-tensors.ts';

/** The two sides of a product. */
interface Operands {
  readonly input: Quantized;
  readonly weight: Quantized;
}

/** Replaces a MatMul by MatMulInteger. */
export function writeMatMulInteger(node: NodeProto, operands: Operands, tensors: QuantizedTensors): void {
  writeInteger('MatMulInteger', node, operands, node.output[0] ?? '', tensors);
}

/** Replaces a Conv of a weight of `rank` by ConvInteger, its bias added in float. */
export function writeConvInteger(
  node: NodeProto,
  operands: Operands,
  rank: number,
  tensors: QuantizedTensors,
): void {
  const [, , bias = ''] = node.input;
  const [output = ''] = node.output;
  if (bias === '') return writeInteger('ConvInteger', node, operands, output, tensors);
  tensors.dequantize(bias);
  const scaled = `${output}quant_scaled_output`;
  writeInteger('ConvInteger', node, operands, scaled, tensors);
  const shape = `${output}_bias_reshape_shape`;
  const reshaped = `${output}_bias_reshape_output`;
  const sizes = Array.from({ length: rank }, (_, axis) => (axis === 1 ? -1 : 1));
  tensors.graph.initializer.push(int64Tensor(shape, [rank], sizes));
  tensors.write(
    makeNode('Reshape', [bias, shape], [reshaped], ''),
    makeNode('Add', [scaled, reshaped], [output], `${output}_bias_add`),
  );
}

function writeInteger(
  opType: string,
  node: NodeProto,
  { input, weight }: Operands,
  result: string,
  tensors: QuantizedTensors,
): void {
  const name = node.name ? `${node.name}_quant` : '';
  const product = `${node.output[0] ?? ''}_output_quantized`;
  const cast = `${product}_cast_output`;
  const scales = name === '' ? `${input.scale}_${weight.scale}_mul` : `${name}_scales_mul`;
  const factors = [input.name, weight.name, input.zeroPoint, weight.zeroPoint];
  tensors.writeLowered(makeNode(opType, factors, [product], name, node.attribute));
  tensors.write(
    makeNode('Cast', [product], [cast], `${product}_cast`, [
      makeIntAttribute('to', TensorProtoDataType.FLOAT),
    ]),
  );
  if (!tensors.nodes.some((other) => other.name === scales)) {
    tensors.write(makeNode('Mul', [input.scale, weight.scale], [`${scales}:0`], scales));
  }
  const scaled = name === '' ? '' : `${name}_output_scale_mul`;
  tensors.write(makeNode('Mul', [cast, `${scales}:0`], [result], scaled));
}
