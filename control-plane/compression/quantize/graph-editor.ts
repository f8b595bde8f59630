// Renames what nodes read and write, and adds nodes and initializers, with an index that stays true.
// Invariant: a tensor that a subgraph captures is never renamed there; `readers` counts it all the same.

import { capturedNames } from '../onnx/graph-index.ts';
import type { GraphProto, NodeProto, TensorProto } from '../onnx/onnx-types.ts';

export class GraphEditor {
  readonly graph: GraphProto;
  readonly initializers: Map<string, TensorProto>;
  readonly inputs: ReadonlySet<string>;
  readonly outputs: ReadonlySet<string>;
  readonly #readers = new Map<string, NodeProto[]>();
  readonly #writers = new Map<string, NodeProto[]>();
  readonly #captures = new Map<string, number>();

  constructor(graph: GraphProto) {
    this.graph = graph;
    this.initializers = new Map(graph.initializer.map((tensor) => [tensor.name ?? '', tensor]));
    this.inputs = new Set(graph.input.map((value) => value.name ?? ''));
    this.outputs = new Set(graph.output.map((value) => value.name ?? ''));
    for (const node of graph.node) this.#index(node);
  }

  /** How often nodes read a tensor; a node that reads it twice counts twice. */
  readers(name: string): number {
    return (this.#readers.get(name)?.length ?? 0) + (this.#captures.get(name) ?? 0);
  }

  addNode(node: NodeProto): void {
    this.graph.node.push(node);
    this.#index(node);
  }

  /** Adds an initializer unless there is one of that name. */
  addInitializer(tensor: TensorProto): void {
    const name = tensor.name ?? '';
    if (this.initializers.has(name)) return;
    this.initializers.set(name, tensor);
    this.graph.initializer.push(tensor);
  }

  removeInitializer(name: string): void {
    const tensor = this.initializers.get(name);
    this.initializers.delete(name);
    this.graph.initializer = this.graph.initializer.filter((other) => other !== tensor);
    this.graph.input = this.graph.input.filter((value) => value.name !== name);
  }

  /** Makes every node that reads `from` read `to`. */
  renameReads(from: string, to: string): void {
    const readers = this.#readers.get(from) ?? [];
    this.#readers.delete(from);
    for (const node of readers) replaceIn(node.input, from, to);
    this.#readers.set(to, [...(this.#readers.get(to) ?? []), ...readers]);
  }

  /** Makes one node read `to` instead of `from`. */
  renameReadsOf(node: NodeProto, from: string, to: string): void {
    const others = (this.#readers.get(from) ?? []).filter((reader) => reader !== node);
    const uses = node.input.filter((name) => name === from).map(() => node);
    replaceIn(node.input, from, to);
    this.#readers.set(from, others);
    this.#readers.set(to, [...(this.#readers.get(to) ?? []), ...uses]);
  }

  /** Makes every node that writes `from` write `to`. */
  renameWrites(from: string, to: string): void {
    const writers = this.#writers.get(from) ?? [];
    this.#writers.delete(from);
    for (const node of writers) replaceIn(node.output, from, to);
    this.#writers.set(to, [...(this.#writers.get(to) ?? []), ...writers]);
  }

  #index(node: NodeProto): void {
    for (const name of node.input) if (name !== '') append(this.#readers, name, node);
    for (const name of node.output) if (name !== '') append(this.#writers, name, node);
    for (const name of capturedNames(node)) this.#captures.set(name, (this.#captures.get(name) ?? 0) + 1);
  }
}

function append(map: Map<string, NodeProto[]>, name: string, node: NodeProto): void {
  const nodes = map.get(name);
  if (nodes === undefined) map.set(name, [node]);
  else nodes.push(node);
}

function replaceIn(names: string[], from: string, to: string): void {
  names.forEach((name, index) => {
    if (name === from) names[index] = to;
  });
}
