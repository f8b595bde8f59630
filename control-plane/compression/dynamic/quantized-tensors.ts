// What is quantized so far, under which names, and the nodes written so far. Invariant: names, order and bits are
// those of ONNXQuantizer of onnxruntime.quantization in IntegerOps mode: a float tensor that only exists in 8 bits
// is dequantized once, right before the first node that needs it in float.

import { makeIntAttribute, makeNode } from '../onnx/messages.ts';
import type { GraphProto, NodeProto, TensorProto } from '../onnx/onnx-types.ts';
import { dimsOf, floatTensor, isFloatTensor, readFloats } from '../onnx/tensor-data.ts';
import type { QuantParams } from '../quantize/quant-params.ts';
import { integerTensor, quantizeConstant, type ConstantOptions } from './quantize-constant.ts';

/** The names of a tensor in 8 bits. */
export interface Quantized {
  readonly name: string;
  readonly scale: string;
  readonly zeroPoint: string;
  /** The channel axis, from the end where negative; null for one scale. */
  readonly axis: number | null;
}

export class QuantizedTensors {
  readonly graph: GraphProto;
  readonly nodes: NodeProto[] = [];
  /** Those of them that compute in 8 bits. */
  readonly lowered = new Set<NodeProto>();
  /** Of this graph and those around it. */
  readonly constants: ReadonlyMap<string, TensorProto>;
  /** Begins the names made here for tensors of the graphs around this one, which may have such names too. */
  readonly #scope: string;
  readonly #own: ReadonlySet<string>;
  readonly #quantized = new Map<string, Quantized>();
  /** What exists in float: inputs, and outputs of the nodes written. */
  readonly #inFloat: Set<string>;

  constructor(graph: GraphProto, outer: ReadonlyMap<string, TensorProto>, scope: string) {
    this.graph = graph;
    this.#scope = scope;
    const own = graph.initializer.map((tensor) => [tensor.name ?? '', tensor] as const);
    const inputs = graph.input.map(({ name = '' }) => name);
    this.constants = new Map([...outer, ...own]);
    this.#own = new Set([
      ...own.map(([name]) => name),
      ...inputs,
      ...graph.node.flatMap((node) => node.output),
    ]);
    this.#inFloat = new Set([...inputs, ...outer.keys()]);
    for (const [name] of own) this.#inFloat.delete(name);
  }

  write(...nodes: readonly NodeProto[]): void {
    this.nodes.push(...nodes);
    for (const node of nodes) for (const name of node.output) this.#inFloat.add(name);
  }

  /** The names that a tensor has in 8 bits. */
  namesOf(name: string, axis: number | null): Quantized {
    const stem = this.#own.has(name) ? name : `${this.#scope}${name}`;
    return { name: `${stem}_quantized`, scale: `${stem}_scale`, zeroPoint: `${stem}_zero_point`, axis };
  }

  writeLowered(node: NodeProto): void {
    this.write(node);
    this.lowered.add(node);
  }

  find(name: string): Quantized | undefined {
    return this.#quantized.get(name);
  }

  set(name: string, quantized: Quantized): void {
    this.#quantized.set(name, quantized);
  }

  /** A float constant of finite values; undefined for anything else. */
  constant(name: string): TensorProto | undefined {
    const tensor = this.constants.get(name);
    const isUsable =
      tensor !== undefined && isFloatTensor(tensor) && readFloats(tensor).every(Number.isFinite);
    return isUsable ? tensor : undefined;
  }

  /** A computed tensor in unsigned 8 bits, at a range taken on each run; a constant once and for all. */
  activation(name: string): Quantized {
    const known = this.#quantized.get(name);
    if (known !== undefined) return known;
    const constant = this.constant(name);
    if (constant !== undefined) return this.weight(constant, { type: 'u8', symmetric: false, reduced: false, axis: null }); // prettier-ignore
    const made = this.namesOf(name, null);
    this.#inFloat.add(name);
    const outputs = [made.name, made.scale, made.zeroPoint];
    this.write(makeNode('DynamicQuantizeLinear', [name], outputs, `${name}_QuantizeLinear`));
    this.#quantized.set(name, made);
    return made;
  }

  /** A constant in 8 bits. */
  weight(tensor: TensorProto, how: ConstantOptions): Quantized {
    const name = tensor.name ?? '';
    const known = this.#quantized.get(name);
    if (known !== undefined) return known;
    const dims = dimsOf(tensor);
    const { params, values } = quantizeConstant(readFloats(tensor), dims, how);
    const made = this.namesOf(name, how.axis);
    this.addParams(made, params, how.axis === null ? [] : [params.scales.length]);
    this.graph.initializer.push(integerTensor(made.name, dims, values));
    this.#quantized.set(name, made);
    return made;
  }

  addParams(names: Quantized, params: QuantParams, dims: readonly number[]): void {
    const zeroPoints =
      params.type === 'u8' ? Uint8Array.from(params.zeroPoints) : Int8Array.from(params.zeroPoints);
    this.graph.initializer.push(
      floatTensor(names.scale, dims, params.scales),
      integerTensor(names.zeroPoint, dims, zeroPoints),
    );
  }

  /** Makes sure that a tensor exists in float. */
  dequantize(name: string): void {
    const quantized = this.#quantized.get(name);
    if (quantized === undefined || this.#inFloat.has(name)) return;
    const inputs = [quantized.name, quantized.scale, quantized.zeroPoint];
    const attributes = quantized.axis === null ? [] : [makeIntAttribute('axis', quantized.axis)];
    this.write(makeNode('DequantizeLinear', inputs, [name], `${name}_DequantizeLinear`, attributes));
  }
}
