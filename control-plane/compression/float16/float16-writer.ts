// Writes the graph anew, each float32 tensor in the precisions in which it is read: a Cast is written right before
// the first node that needs one, and only once a tensor. Invariant: graph inputs and outputs and what subgraphs
// capture keep their names and types.

import { capturedNames } from '../onnx/graph-index.ts';
import type { TensorType } from '../onnx/infer-types.ts';
import { makeIntAttribute, makeNode } from '../onnx/messages.ts';
import { TensorProtoDataType, type NodeProto, type TensorProto } from '../onnx/onnx-types.ts';
import { INDIFFERENT, isFloatInput } from './float-ops.ts';
import { halfTensor } from './half-tensor.ts';
import type { Place } from './placement.ts';
import type { TypedGraph } from './typed-graphs.ts';

type Form = 'half' | 'float';

export class Float16Writer {
  readonly nodes: NodeProto[] = [];
  readonly casts = new Set<NodeProto>();
  /** Constants in half precision. */
  readonly initializers: TensorProto[] = [];
  readonly #types: ReadonlyMap<string, TensorType>;
  readonly #constants: ReadonlyMap<string, TensorProto>;
  readonly #readInFloat: ReadonlySet<string>;
  /** Tensors that have to exist in float32 under their names. */
  readonly #kept: ReadonlySet<string>;
  readonly #taken: Set<string>;
  /** Names of each float32 tensor in the forms it exists in. */
  readonly #names = new Map<string, Partial<Record<Form, string>>>();
  /** Casts to float32 that are not written yet, by output. */
  readonly #pending = new Map<string, NodeProto>();

  /** `taken` are the names of all graphs; those made here are added. */
  constructor({ graph, types }: TypedGraph, places: ReadonlyMap<NodeProto, Place>, taken: Set<string>) {
    this.#types = types;
    this.#taken = taken;
    this.#constants = new Map(graph.initializer.map((tensor) => [tensor.name ?? '', tensor]));
    this.#kept = new Set([
      ...graph.output.map(({ name = '' }) => name),
      ...graph.node.flatMap(capturedNames),
    ]);
    const readInFloat = (node: NodeProto) =>
      INDIFFERENT.has(node.opType ?? '')
        ? []
        : node.input.filter((_, index) => places.get(node) !== 'half' || isFloatInput(node, index));
    this.#readInFloat = new Set([...this.#kept, ...graph.node.flatMap(readInFloat)]);
  }

  /** Whether a tensor is half precision under its own name now. */
  isHalf(name: string): boolean {
    return this.#names.get(name)?.half === name;
  }

  write(node: NodeProto, place: Place): void {
    const [output = ''] = node.output;
    if (place === 'cast') {
      this.#pending.set(output, node);
      if (this.#kept.has(output)) this.#in('float', output);
      return;
    }
    const input = node.input.map((name, index) => {
      if (!this.#isFloat(name)) return name;
      if (INDIFFERENT.has(node.opType ?? '')) return this.#inAny(name);
      return this.#in(place === 'half' && !isFloatInput(node, index) ? 'half' : 'float', name);
    });
    node.input = input;
    const floats = node.output.filter((name) => this.#isFloat(name));
    if (place === 'half') node.output = node.output.map((name) => this.#outputName(name));
    this.nodes.push(node);
    for (const name of floats) {
      if (place === 'float') this.#names.set(name, { float: name });
      else if (this.#kept.has(name)) this.#in('float', name);
    }
  }

  /** The name of a float32 tensor in one precision, which is made if there is none yet. */
  #in(form: Form, name: string): string {
    const known = this.#names.get(name)?.[form];
    if (known !== undefined) return known;
    const made = this.#make(form, name);
    this.#names.set(name, { ...this.#names.get(name), [form]: made });
    return made;
  }

  /** The name of a tensor in a precision it exists in, the higher one of two. */
  #inAny(name: string): string {
    const known = this.#names.get(name);
    const exists = known?.float ?? known?.half;
    if (exists !== undefined) return exists;
    return this.#in(this.#isMade(name) && !this.#readInFloat.has(name) ? 'half' : 'float', name);
  }

  #make(form: Form, name: string): string {
    const pending = this.#pending.get(name);
    if (pending !== undefined) return this.#makeByCast(form, pending, name);
    const constant = this.#constants.get(name);
    const known = this.#names.get(name);
    if (form === 'float') {
      if (constant !== undefined || known?.half === undefined) return name;
      return this.#cast(known.half, this.#kept.has(name) ? name : this.#fresh(`${name}_float32`), form);
    }
    const half = this.#halfName(name);
    if (constant === undefined) return this.#cast(name, half, form);
    this.initializers.push(halfTensor(constant, half));
    return half;
  }

  /** A Cast to float32 of the original model, to the precision that is wanted. */
  #makeByCast(form: Form, cast: NodeProto, name: string): string {
    const [source = ''] = cast.input;
    if (form === 'half' && this.#types.get(source)?.dtype === 'FP16') return source;
    const input = this.#isFloat(source) ? this.#inAny(source) : source;
    const output = form === 'half' ? this.#halfName(name) : name;
    return this.#cast(input, output, form, output === name ? cast.name : undefined);
  }

  /** A tensor that is read in half precision only keeps its name, unless it exists in float32 anyway. */
  #halfName(name: string): string {
    return this.#isMade(name) && !this.#readInFloat.has(name) ? name : this.#fresh(`${name}_float16`);
  }

  /** Whether the tensor is made here in the precisions in which it is read: a constant, or a Cast's output. */
  #isMade(name: string): boolean {
    return this.#constants.has(name) || this.#pending.has(name);
  }

  #cast(input: string, output: string, form: Form, name = `${output}_cast`): string {
    const to = form === 'half' ? TensorProtoDataType.FLOAT16 : TensorProtoDataType.FLOAT;
    const node = makeNode('Cast', [input], [output], name, [makeIntAttribute('to', to)]);
    this.nodes.push(node);
    this.casts.add(node);
    return output;
  }

  /** What a half precision node writes: its own name, unless that has to stay float32. */
  #outputName(name: string): string {
    if (!this.#isFloat(name)) return name;
    const half = this.#kept.has(name) ? this.#fresh(`${name}_float16`) : name;
    this.#names.set(name, { half });
    return half;
  }

  #isFloat(name: string): boolean {
    return this.#types.get(name)?.dtype === 'FP32';
  }

  #fresh(name: string): string {
    let free = name;
    for (let suffix = 1; this.#taken.has(free); suffix++) free = `${name}_${suffix}`;
    this.#taken.add(free);
    return free;
  }
}
