// The weights of a linear layer as one matrix [outputs, inputs] a group, whatever layout its operator keeps them in.

import { elementCount, dimsOf, floatTensor, readFloats } from '../onnx/tensor-data.ts';
import type { NodeProto, TensorProto } from '../onnx/onnx-types.ts';
import { floatAttribute, intAttribute } from './coupling/node-values.ts';

export interface LayerWeights {
  readonly groups: number;
  readonly rows: number;
  readonly columns: number;
  /** Sizes of the kernel; empty for Gemm and MatMul. */
  readonly kernel: readonly number[];
  /** [groups, rows, columns] */
  readonly values: Float64Array;
}

/** The weights of a Conv, ConvTranspose, Gemm or MatMul with a constant matrix, as they are now. */
export function readWeights(tensor: TensorProto, node: NodeProto): LayerWeights {
  const dims = dimsOf(tensor);
  const flat = readFloats(tensor);
  const layout = layoutOf(dims, node);
  const values = new Float64Array(flat.length);
  eachWeight(layout, (index, place) => {
    values[index] = flat[place] as number;
  });
  return { ...layout, values };
}

/** The tensor with other weights. */
export function withWeights(tensor: TensorProto, node: NodeProto, values: Float64Array): TensorProto {
  const flat = new Float32Array(values.length);
  eachWeight(layoutOf(dimsOf(tensor), node), (index, place) => {
    flat[place] = values[index] as number;
  });
  return floatTensor(tensor.name ?? '', dimsOf(tensor), flat);
}

interface Layout extends Omit<LayerWeights, 'values'> {
  /** Where the weight of a group, row, column lies in the tensor. */
  readonly place: (group: number, row: number, column: number) => number;
}

function layoutOf(dims: readonly number[], node: NodeProto): Layout {
  const [first = 1, second = 1] = dims;
  const kernel = dims.slice(2);
  const taps = elementCount(kernel);
  const groups = intAttribute(node, 'group', 1);
  if (node.opType === 'Conv') {
    const [rows, columns] = [first / groups, second * taps];
    return { groups, rows, columns, kernel, place: (g, row, column) => (g * rows + row) * columns + column };
  }
  if (node.opType === 'ConvTranspose') {
    const [rows, read] = [second, first / groups];
    const place = (g: number, row: number, column: number) =>
      ((g * read + Math.floor(column / taps)) * rows + row) * taps + (column % taps);
    return { groups, rows, columns: read * taps, kernel, place };
  }
  if (node.opType === 'Gemm' && intAttribute(node, 'transB', 0) !== 0)
    return {
      groups: 1,
      rows: first,
      columns: second,
      kernel: [],
      place: (_, row, column) => row * second + column,
    };
  return {
    groups: 1,
    rows: second,
    columns: first,
    kernel: [],
    place: (_, row, column) => column * second + row,
  };
}

function eachWeight(layout: Layout, visit: (index: number, place: number) => void): void {
  const { groups, rows, columns, place } = layout;
  let index = 0;
  for (let group = 0; group < groups; group++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) visit(index++, place(group, row, column));
}

/** Whether the product is scaled (Gemm's alpha and beta), which no refit looks into. */
export function isScaled(node: NodeProto): boolean {
  return floatAttribute(node, 'alpha', 1) !== 1 || floatAttribute(node, 'beta', 1) !== 1;
}
