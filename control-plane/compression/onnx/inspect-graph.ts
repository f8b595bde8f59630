// Bounded walk over the graphs of a serialised model: counts nodes, checks every tensor, enters subgraphs up to
// a depth. Invariant: nothing is kept but counts, and the inputs, outputs and initializer names of the main graph.

import { inspectTensor } from './inspect-tensor.ts';
import { inspectValueInfo, type ValueSummary } from './inspect-value-info.ts';
import type { OnnxLimits } from './limits.ts';
import { checkDomain } from './opset-check.ts';
import { fieldNumber, type OnnxMessage } from './schema.ts';
import { malformed, readFields, textOf, WIRE_BYTES, type FieldBudget, type WireField } from './wire.ts';

const GRAPH = {
  node: fieldNumber('GraphProto', 'node'),
  initializer: fieldNumber('GraphProto', 'initializer'),
  sparseInitializer: fieldNumber('GraphProto', 'sparseInitializer'),
  input: fieldNumber('GraphProto', 'input'),
  output: fieldNumber('GraphProto', 'output'),
};
const NODE = {
  opType: fieldNumber('NodeProto', 'opType'),
  domain: fieldNumber('NodeProto', 'domain'),
  attribute: fieldNumber('NodeProto', 'attribute'),
};
const SPARSE_TENSORS = new Set(['values', 'indices'].map((name) => fieldNumber('SparseTensorProto', name)));
const attributeFields = (...names: string[]) =>
  new Set(names.map((name) => fieldNumber('AttributeProto', name)));
const ATTRIBUTE_TENSORS = attributeFields('t', 'tensors');
const ATTRIBUTE_SPARSE = attributeFields('sparseTensor', 'sparseTensors');
const ATTRIBUTE_GRAPHS = attributeFields('g', 'graphs');

export class GraphInspection {
  readonly opCounts = new Map<string, number>();
  readonly initializers = new Set<string>();
  readonly inputs: ValueSummary[] = [];
  readonly outputs: ValueSummary[] = [];
  nodeCount = 0;
  tensorBytes = 0;
  readonly #bytes: Uint8Array;
  readonly #limits: OnnxLimits;
  readonly #budget: FieldBudget;

  constructor(bytes: Uint8Array, limits: OnnxLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
    this.#budget = { left: limits.maxFields };
  }

  /** The fields of the whole file. */
  fields(): Generator<WireField, void, undefined> {
    return readFields(this.#bytes, 0, this.#bytes.byteLength, this.#budget);
  }

  /** The fields of a message within. Throws `onnx-malformed`. */
  enter(field: WireField, what: OnnxMessage): Generator<WireField, void, undefined> {
    if (field.wireType !== WIRE_BYTES) throw malformed(`a ${what} has the wrong wire type`);
    return readFields(this.#bytes, field.start, field.end, this.#budget);
  }

  text(field: WireField): string {
    return textOf(this.#bytes, field);
  }

  graph(graphField: WireField, depth: number): void {
    if (depth > this.#limits.maxGraphDepth) {
      throw malformed(`graphs are nested deeper than ${this.#limits.maxGraphDepth}`);
    }
    for (const field of this.enter(graphField, 'GraphProto')) {
      if (field.number === GRAPH.node) this.node(field, depth);
      else if (field.number === GRAPH.initializer) this.#initializer(field, depth);
      else if (field.number === GRAPH.sparseInitializer) this.#sparseTensor(field);
      else if (depth === 0 && field.number === GRAPH.input) this.inputs.push(this.#valueInfo(field));
      else if (depth === 0 && field.number === GRAPH.output) this.outputs.push(this.#valueInfo(field));
    }
  }

  node(nodeField: WireField, depth: number): void {
    if (++this.nodeCount > this.#limits.maxNodes)
      throw malformed(`it has more than ${this.#limits.maxNodes} nodes`);
    let opType = '';
    for (const field of this.enter(nodeField, 'NodeProto')) {
      if (field.number === NODE.opType) opType = this.text(field);
      else if (field.number === NODE.domain) checkDomain(this.text(field));
      else if (field.number === NODE.attribute) this.attribute(field, depth);
    }
    if (opType === '') throw malformed('a node has no operator');
    this.opCounts.set(opType, (this.opCounts.get(opType) ?? 0) + 1);
  }

  attribute(attributeField: WireField, depth: number): void {
    for (const field of this.enter(attributeField, 'AttributeProto')) {
      if (ATTRIBUTE_TENSORS.has(field.number)) this.#tensor(field);
      else if (ATTRIBUTE_SPARSE.has(field.number)) this.#sparseTensor(field);
      else if (ATTRIBUTE_GRAPHS.has(field.number)) this.graph(field, depth + 1);
    }
  }

  #initializer(field: WireField, depth: number): void {
    const name = this.#tensor(field);
    if (depth === 0) this.initializers.add(name);
  }

  #tensor(field: WireField): string {
    if (field.wireType !== WIRE_BYTES) throw malformed('a tensor has the wrong wire type');
    const tensor = inspectTensor(this.#bytes, field.start, field.end, this.#budget);
    this.tensorBytes += tensor.dataBytes;
    return tensor.name;
  }

  #sparseTensor(sparseField: WireField): void {
    for (const field of this.enter(sparseField, 'SparseTensorProto')) {
      if (SPARSE_TENSORS.has(field.number)) this.#tensor(field);
    }
  }

  #valueInfo(field: WireField): ValueSummary {
    if (field.wireType !== WIRE_BYTES) throw malformed('a value info has the wrong wire type');
    return inspectValueInfo(this.#bytes, field.start, field.end, this.#budget);
  }
}
