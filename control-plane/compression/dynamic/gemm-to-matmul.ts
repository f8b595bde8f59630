// Gemm as MatMul and Add, which is what weight-only and dynamic quantization know. Source: the rules and names of
// ONNXModel.replace_gemm_with_matmul of onnxruntime.quantization. A constant B that other nodes read too is copied.

import { attributeOf } from '../onnx/attributes.ts';
import { capturedNames } from '../onnx/graph-index.ts';
import { makeNode, toNumber } from '../onnx/messages.ts';
import type { GraphProto, NodeProto, TensorProto } from '../onnx/onnx-types.ts';
import { dimsOf, floatTensor, isFloatTensor, readFloats } from '../onnx/tensor-data.ts';

/** Splits each Gemm with alpha and beta 1 and A as it is; edits the graph in place. `which` may spare some. */
export function gemmToMatMul(graph: GraphProto, which: (gemm: NodeProto) => boolean = () => true): void {
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name ?? '', tensor]));
  graph.node = graph.node.flatMap((node) =>
    isPlainGemm(node) && which(node) ? split(graph, initializers, node) : [node],
  );
}

/** Whether a node is a Gemm that computes A x B + C or A x transposed B + C. */
function isPlainGemm(node: NodeProto): boolean {
  if (node.opType !== 'Gemm' || (node.domain ?? '') !== '') return false;
  return factor(node, 'alpha') === 1 && factor(node, 'beta') === 1 && flag(node, 'transA') === 0;
}

function split(graph: GraphProto, initializers: Map<string, TensorProto>, node: NodeProto): NodeProto[] {
  const [a = '', b = '', c = ''] = node.input;
  const [output = ''] = node.output;
  const named = (suffix: string) => (node.name ? `${node.name}${suffix}` : '');
  const nodes: NodeProto[] = [];
  let right = b;
  if (flag(node, 'transB') === 1) {
    const constant = initializers.get(b);
    if (constant !== undefined && isFloatTensor(constant)) {
      right = transposeConstant(graph, initializers, node, constant);
    } else {
      right = `${b}_Transposed`;
      nodes.push(makeNode('Transpose', [b], [right], named('_Transpose')));
    }
  }
  const product = c === '' ? output : `${output}_MatMul`;
  nodes.push(makeNode('MatMul', [a, right], [product], named('_MatMul')));
  if (c !== '') nodes.push(makeNode('Add', [product, c], [output], named('_Add')));
  return nodes;
}

/** Puts the transposed constant at the end of the initializers, under its own name unless others read it. */
function transposeConstant(
  graph: GraphProto,
  initializers: Map<string, TensorProto>,
  node: NodeProto,
  tensor: TensorProto,
): string {
  const name = tensor.name ?? '';
  const isShared =
    graph.output.some((value) => value.name === name) ||
    graph.node.some((other) => other !== node && [...other.input, ...capturedNames(other)].includes(name));
  const [rows = 0, columns = 0] = dimsOf(tensor);
  const made = floatTensor(
    isShared ? `${name}_transposed_${node.output[0] ?? ''}` : name,
    [columns, rows],
    transposed(readFloats(tensor), rows, columns),
  );
  if (!isShared) {
    graph.initializer = graph.initializer.filter((other) => other !== tensor);
    graph.input = graph.input.filter((value) => value.name !== name);
  }
  graph.initializer.push(made);
  initializers.set(made.name ?? '', made);
  return made.name ?? '';
}

/** Row-major [rows, columns] as row-major [columns, rows]. */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const made = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      made[column * rows + row] = values[row * columns + column] as number;
    }
  }
  return made;
}

function factor(node: NodeProto, name: string): number {
  return attributeOf(node, name)?.f ?? 1;
}

function flag(node: NodeProto, name: string): number {
  return toNumber(attributeOf(node, name)?.i);
}
