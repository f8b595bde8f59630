// Bounded walk over the graphs of a serialised model: counts nodes, checks every tensor, enters subgraphs up to
// a depth. Invariant: nothing is kept but counts, and the inputs, outputs and initializer names of the main graph.

import { functionKey, type Calls } from './inspect-functions.ts';
import { GraphNames } from './inspect-names.ts';
import { inspectTensor } from './inspect-tensor.ts';
import { inspectValueInfo, type ValueSummary } from './inspect-value-info.ts';
import type { OnnxLimits } from './limits.ts';
import { checkDomain } from './opset-check.ts';
import { fieldNumber, type OnnxMessage } from './schema.ts';
import {
  chargeEntries,
  countScalars,
  malformed,
  nameKeyOf,
  readFields,
  textOf,
  WIRE_BYTES,
  type FieldBudget,
  type WireField,
} from './wire.ts';

const GRAPH = {
  node: fieldNumber('GraphProto', 'node'),
  initializer: fieldNumber('GraphProto', 'initializer'),
  sparseInitializer: fieldNumber('GraphProto', 'sparseInitializer'),
  input: fieldNumber('GraphProto', 'input'),
  output: fieldNumber('GraphProto', 'output'),
};
const NODE = {
  input: fieldNumber('NodeProto', 'input'),
  output: fieldNumber('NodeProto', 'output'),
  opType: fieldNumber('NodeProto', 'opType'),
  domain: fieldNumber('NodeProto', 'domain'),
  attribute: fieldNumber('NodeProto', 'attribute'),
};
const SPARSE_TENSORS = new Set(['values', 'indices'].map((name) => fieldNumber('SparseTensorProto', name)));
const attributeFields = (...names: string[]) =>
  new Set(names.map((name) => fieldNumber('AttributeProto', name)));
const ATTRIBUTE_TENSORS = attributeFields('t', 'tensors');
const ATTRIBUTE_SPARSE = attributeFields('sparseTensor', 'sparseTensors');
const ATTRIBUTE_LISTS = attributeFields('ints');
/** A second one would be merged into the first, which nobody checked together. */
const ATTRIBUTE_SINGLE = attributeFields('t', 'g', 'sparseTensor');
const ATTRIBUTE_GRAPHS = attributeFields('g', 'graphs');

export class GraphInspection {
  readonly opCounts = new Map<string, number>();
  readonly initializers = new Set<string>();
  readonly inputs: ValueSummary[] = [];
  readonly outputs: ValueSummary[] = [];
  /** Operators used by what is being read: the main graph, or a function. */
  calls: Calls = new Map();
  nodeCount = 0;
  tensorBytes = 0;
  usesExternalData = false;
  readonly #bytes: Uint8Array;
  readonly #limits: OnnxLimits;
  readonly #budget: FieldBudget;
  readonly #names = new GraphNames();

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

  mainGraph(field: WireField): void {
    this.graph(field, 0);
    const inputs = this.inputs.map(({ name }) => name);
    if (new Set(inputs).size < inputs.length) throw malformed('two inputs have the same name');
    this.#names.check([...inputs, ...this.initializers].map((name) => Buffer.from(name).toString('latin1')));
  }

  graph(graphField: WireField, depth: number): void {
    if (depth > this.#limits.maxGraphDepth) {
      throw malformed(`graphs are nested deeper than ${this.#limits.maxGraphDepth}`);
    }
    for (const field of this.enter(graphField, 'GraphProto')) {
      if (field.number === GRAPH.node) this.node(field, depth, depth === 0);
      else if (field.number === GRAPH.initializer) this.#initializer(field, depth);
      else if (field.number === GRAPH.sparseInitializer) this.#sparseTensor(field);
      else if (depth === 0 && field.number === GRAPH.input) this.inputs.push(this.#valueInfo(field));
      else if (depth === 0 && field.number === GRAPH.output) this.outputs.push(this.#valueInfo(field));
    }
  }

  /** `isNamed` where the names of values belong to the main graph. */
  node(nodeField: WireField, depth: number, isNamed = false): void {
    if (++this.nodeCount > this.#limits.maxNodes)
      throw malformed(`it has more than ${this.#limits.maxNodes} nodes`);
    let opType = '';
    let domain = '';
    const names = { inputs: [] as string[], outputs: [] as string[] };
    for (const field of this.enter(nodeField, 'NodeProto')) {
      if (field.number === NODE.opType) opType = this.text(field);
      else if (field.number === NODE.domain) domain = checkDomain(this.text(field));
      else if (isNamed && field.number === NODE.input && field.end > field.start)
        names.inputs.push(nameKeyOf(this.#bytes, field));
      else if (isNamed && field.number === NODE.output && field.end > field.start)
        names.outputs.push(nameKeyOf(this.#bytes, field));
      else if (field.number === NODE.attribute) this.attribute(field, depth);
    }
    if (opType === '') throw malformed('a node has no operator');
    if (isNamed) this.#names.addNode(names);
    this.opCounts.set(opType, (this.opCounts.get(opType) ?? 0) + 1);
    const key = functionKey(domain, opType);
    this.calls.set(key, (this.calls.get(key) ?? 0) + 1);
  }

  attribute(attributeField: WireField, depth: number): void {
    const seen = new Set<number>();
    for (const field of this.enter(attributeField, 'AttributeProto')) {
      if (ATTRIBUTE_SINGLE.has(field.number) && seen.size === seen.add(field.number).size)
        throw malformed('an attribute has two values');
      if (ATTRIBUTE_LISTS.has(field.number)) chargeEntries(this.#budget, countScalars(this.#bytes, field, 0));
      else if (ATTRIBUTE_TENSORS.has(field.number)) this.#tensor(field);
      else if (ATTRIBUTE_SPARSE.has(field.number)) this.#sparseTensor(field);
      else if (ATTRIBUTE_GRAPHS.has(field.number)) this.graph(field, depth + 1);
    }
  }

  #initializer(field: WireField, depth: number): void {
    const name = this.#tensor(field);
    if (depth > 0) return;
    if (this.initializers.has(name)) throw malformed('two initializers have the same name');
    this.initializers.add(name);
  }

  #tensor(field: WireField): string {
    if (field.wireType !== WIRE_BYTES) throw malformed('a tensor has the wrong wire type');
    const tensor = inspectTensor(
      this.#bytes,
      field.start,
      field.end,
      this.#budget,
      this.#limits.allowsExternalData,
    );
    this.tensorBytes += tensor.dataBytes;
    this.usesExternalData ||= tensor.isExternal;
    return tensor.name;
  }

  #sparseTensor(sparseField: WireField): void {
    for (const field of this.enter(sparseField, 'SparseTensorProto')) {
      if (SPARSE_TENSORS.has(field.number)) this.#tensor(field);
    }
  }

  #valueInfo(field: WireField): ValueSummary {
    if (field.wireType !== WIRE_BYTES) throw malformed('a value info has the wrong wire type');
    if (this.inputs.length + this.outputs.length >= this.#limits.maxValues)
      throw malformed(`it has more than ${this.#limits.maxValues} inputs and outputs`);
    return inspectValueInfo(this.#bytes, field.start, field.end, this.#budget);
  }
}
