// The quantizer's first pass: which tensors are to be quantized, and how. Invariant: tensors keep the order in
// which they were marked, because nodes and initializers are later written in that order; marking one again
// as shared or a channel overwrites it in place (QDQQuantizer.tensors_to_quantize has the same rules).

import { isFloatTensor, readFloats } from '../onnx/tensor-data.ts';
import type { NodeProto, TensorProto } from '../onnx/onnx-types.ts';
import type { GraphEditor } from './graph-editor.ts';
import type { QuantOptions } from './quant-options.ts';
import type { Range } from './scale.ts';

export interface TensorMark {
  readonly kind: 'activation' | 'weight';
  /** Channel axis of a weight; null for one scale. */
  readonly axis: number | null;
  /** The tensor whose scale and zero point this one uses. */
  readonly sharedWith: string | null;
}

export interface BiasMark {
  readonly node: NodeProto;
  readonly input: string;
  readonly weight: string;
  readonly beta: number;
}

export class Marks {
  readonly tensors = new Map<string, TensorMark>();
  readonly biases = new Map<string, BiasMark>();
  /** Relu and Clip nodes whose work the output's range does. */
  readonly folded = new Set<NodeProto>();
  readonly editor: GraphEditor;
  readonly ranges: ReadonlyMap<string, Range>;
  readonly options: QuantOptions;
  readonly opset: number;
  readonly #usable = new Map<string, boolean>();

  constructor(editor: GraphEditor, ranges: ReadonlyMap<string, Range>, options: QuantOptions, opset: number) {
    this.editor = editor;
    this.ranges = ranges;
    this.options = options;
    this.opset = opset;
  }

  isMarked(name: string): boolean {
    return this.tensors.has(name) || this.biases.has(name);
  }

  markActivation(name: string): void {
    this.#markOnce(name, { kind: 'activation', axis: null, sharedWith: null });
  }

  /** Marks the weight of an operator; a channel at a time along `axis` where the options ask for it. */
  markWeight(name: string, axis: number): void {
    const tensor = this.editor.initializers.get(name);
    const rank = tensor?.dims.length ?? 0;
    if (this.options.perChannel && tensor !== undefined && axis < rank) {
      if (this.#isQuantizable(name)) this.tensors.set(name, { kind: 'weight', axis, sharedWith: null });
    } else {
      this.#markOnce(name, { kind: 'weight', axis: null, sharedWith: null });
    }
  }

  /** Marks an output that keeps the scale of an input. */
  markShared(output: string, input: string): void {
    if (this.#isQuantizable(output)) {
      this.tensors.set(output, { kind: 'activation', axis: null, sharedWith: input });
    }
  }

  /** Marks a constant bias; the second node that uses the same one gets a copy of its own. */
  markBias(node: NodeProto, bias: string, mark: Omit<BiasMark, 'node'>): void {
    const tensor = this.editor.initializers.get(bias);
    if (tensor === undefined || !this.#isQuantizable(bias)) return;
    const name = this.biases.has(bias) ? this.#copyBias(node, bias, tensor) : bias;
    this.biases.set(name, { node, ...mark });
  }

  /** Lets the range of a Relu's or Clip's output do its work; false where the node has to stay. */
  foldActivation(node: NodeProto, input: string, output: string): boolean {
    const { editor } = this;
    if (this.options.symmetric || !this.ranges.has(output) || editor.readers(input) !== 1) return false;
    if (editor.outputs.has(input) || editor.inputs.has(input)) return false;
    editor.renameWrites(input, output);
    this.tensors.delete(input);
    this.folded.add(node);
    return true;
  }

  #markOnce(name: string, mark: TensorMark): void {
    if (!this.tensors.has(name) && this.#isQuantizable(name)) this.tensors.set(name, mark);
  }

  /** A float constant of finite values, or a tensor that was calibrated. */
  #isQuantizable(name: string): boolean {
    const tensor = this.editor.initializers.get(name);
    if (tensor === undefined) return this.ranges.has(name);
    const known = this.#usable.get(name);
    if (known !== undefined) return known;
    const usable = isFloatTensor(tensor) && areFinite(readFloats(tensor));
    this.#usable.set(name, usable);
    return usable;
  }

  #copyBias(node: NodeProto, bias: string, tensor: TensorProto): string {
    let suffix = -1;
    for (const name of this.editor.initializers.keys()) {
      const rest = name.startsWith(bias) ? name.slice(bias.length) : '';
      if (/^[+-]?\d+$/.test(rest)) suffix = Math.max(suffix, Number(rest));
    }
    const name = `${bias}${suffix + 1}`;
    this.editor.addInitializer({ ...tensor, name });
    this.editor.renameReadsOf(node, bias, name);
    return name;
  }
}

function areFinite(values: Float32Array): boolean {
  for (let at = 0; at < values.length; at++) if (!Number.isFinite(values[at])) return false;
  return true;
}
