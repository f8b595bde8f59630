// What an operator's adapter may ask and change: the constants, types and names around one node of one graph.
// Invariants: a name that was made is new in the whole model; nodes are put beside the node at hand only.

import { HoldfastError } from '#protocol/errors.ts';
import { attributeOf } from '../onnx/attributes.ts';
import type { OnnxDtype } from '../onnx/data-types.ts';
import type { TensorType } from '../onnx/infer-types.ts';
import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto } from '../onnx/onnx-types.ts';
import { allGraphs, allNodes } from '../onnx/walk.ts';
import { mentionsTypes } from './mentioned-types.ts';

/** Changes one node from the definition before `version` to that of `version`; throws `compression-failed`. */
export type Adapter = (node: NodeProto, scope: OpsetScope) => void;

/** Facts about the whole model that all scopes share. */
export class OpsetModel {
  readonly types: ReadonlyMap<string, TensorType>;
  readonly read = new Set<string>();
  readonly #names = new Set<string>();
  readonly #onlyFloat32: boolean;

  constructor(model: ModelProto, graph: GraphProto, types: ReadonlyMap<string, TensorType>) {
    this.types = types;
    this.#onlyFloat32 = !mentionsTypes(model, ['FP16', 'BF16', 'FP64']);
    for (const { initializer, input, output } of allGraphs(graph)) {
      for (const { name } of [...initializer, ...input, ...output]) this.#names.add(name ?? '');
      for (const { name } of output) this.read.add(name ?? '');
    }
    for (const node of allNodes(model)) {
      for (const name of node.output) this.#names.add(name);
      for (const name of node.input) this.read.add(name);
    }
  }

  freshName(wanted: string): string {
    let name = wanted;
    for (let count = 1; this.#names.has(name); count++) name = `${wanted}_${count}`;
    this.#names.add(name);
    return name;
  }

  /** The element type of a float tensor; undefined where it cannot be told. */
  floatType(name: string): OnnxDtype | undefined {
    return this.types.get(name)?.dtype ?? (this.#onlyFloat32 ? 'FP32' : undefined);
  }
}

export class OpsetScope {
  readonly model: OpsetModel;
  readonly graph: GraphProto;
  readonly version: number;
  /** Nodes to put before and after the node at hand. */
  readonly before: NodeProto[] = [];
  readonly after: NodeProto[] = [];
  readonly #outer: readonly GraphProto[];

  constructor(model: OpsetModel, graph: GraphProto, outer: readonly GraphProto[], version: number) {
    this.model = model;
    this.graph = graph;
    this.version = version;
    this.#outer = outer;
  }

  /** Adds an initializer for the node and returns its name. */
  addConstant(node: NodeProto, role: string, make: (name: string) => TensorProto): string {
    const name = this.model.freshName(`${node.output[0] ?? node.name ?? 'tensor'}_${role}`);
    this.graph.initializer.push(make(name));
    return name;
  }

  /** The constant behind a name, here or in the graphs around. */
  constantOf(name: string): TensorProto | undefined {
    for (const { initializer, node } of [this.graph, ...this.#outer]) {
      const made = node.find(({ opType, output }) => opType === 'Constant' && output[0] === name);
      const tensor = made?.attribute.find((attribute) => attribute.name === 'value')?.t;
      const found = tensor ?? initializer.find((candidate) => candidate.name === name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The error for a change that cannot be made without changing what the model says. */
  refuse(node: NodeProto, why: string): HoldfastError {
    const name = [node.name, ...node.output].find((text) => text !== undefined && text !== '') ?? '';
    return new HoldfastError(
      'compression-failed',
      `${node.opType ?? ''} "${name}" cannot go from operator set ${this.version - 1} to ${this.version}: ${why}`,
      { hint: 'export the model again with operator set 17' },
    );
  }
}

/** Removes an attribute from a node and returns it. */
export function takeAttribute(node: NodeProto, name: string): AttributeProto | undefined {
  const attribute = attributeOf(node, name);
  if (attribute !== undefined) node.attribute = node.attribute.filter((other) => other !== attribute);
  return attribute;
}
