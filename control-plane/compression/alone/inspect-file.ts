// What an ONNX file is, and what compression could do to it. Looks only: the file is not run.

import type { OnnxSummary } from '../onnx/inspect.ts';
import { inspectOnnx } from '../onnx/inspect.ts';
import { decodeModel, graphOf } from '../onnx/codec.ts';
import { dimsOf, elementCount } from '../onnx/tensor-data.ts';
import { countOps, type OpCounts } from '../quantize/op-counts.ts';
import { ruleOf } from '../quantize/op-rules.ts';
import { readModelFile } from './model-files.ts';

export interface ModelInspection extends OnnxSummary {
  readonly sizeBytes: number;
  /** Values in constant tensors. */
  readonly parameters: number;
  /** Nodes that static int8 knows, and those it would leave in float, by operator. */
  readonly quantizable: OpCounts;
  readonly leftInFloat: OpCounts;
  readonly isQuantized: boolean;
  /** The constant tensors with most values, largest first. */
  readonly largest: readonly { readonly name: string; readonly dims: readonly number[] }[];
}

const LARGEST = 10;

/** Throws `bad-config` for a file that is not there, else as `inspectOnnx` does. */
export async function inspectFile(path: string): Promise<ModelInspection> {
  const bytes = await readModelFile(path);
  const summary = inspectOnnx(bytes);
  const graph = graphOf(decodeModel(bytes));
  const tensors = [
    ...graph.initializer,
    ...graph.node.flatMap(({ attribute }) => attribute.flatMap(({ t }) => (t ? [t] : []))),
  ].map((tensor) => ({ name: tensor.name ?? '', dims: dimsOf(tensor) }));
  const size = ({ dims }: { dims: readonly number[] }): number => elementCount(dims);
  return {
    ...summary,
    sizeBytes: bytes.byteLength,
    parameters: tensors.reduce((sum, tensor) => sum + size(tensor), 0),
    quantizable: countOps(graph.node.filter((node) => ruleOf(node) !== undefined)),
    leftInFloat: countOps(graph.node.filter((node) => ruleOf(node) === undefined)),
    isQuantized: graph.node.some(({ opType }) => opType === 'DequantizeLinear' || opType === 'MatMulNBits'),
    largest: tensors.toSorted((a, b) => size(b) - size(a)).slice(0, LARGEST),
  };
}
