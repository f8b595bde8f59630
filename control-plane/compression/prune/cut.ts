// Takes channels out of a model: slices every constant that holds them, and mends the integers that count them.
// Invariant: tensors are replaced, never written into, for their bytes may be views on the file they came from.

import { dropUnusedInitializers } from '../onnx/unused-initializers.ts';
import { int64Tensor, dimsOf, elementCount, floatTensor, readFloats } from '../onnx/tensor-data.ts';
import { makeIntAttribute } from '../onnx/messages.ts';
import type { GraphProto, NodeProto, TensorProto } from '../onnx/onnx-types.ts';
import type { Labels } from './coupling/channel-labels.ts';
import type { ChannelMap, CountFix } from './coupling/channel-map.ts';
import { readIntegers } from './coupling/node-values.ts';

/** Edits the graph that `map` was made of, in place. `removed` holds classes. */
export function cutChannels(graph: GraphProto, map: ChannelMap, removed: ReadonlySet<number>): void {
  const isKept = (label: number) => !removed.has(map.labels.classOf(label));
  graph.initializer = graph.initializer.map((tensor) => {
    const axes = map.cuts.get(tensor.name ?? '');
    return axes === undefined ? tensor : sliceAxes(tensor, axes, isKept);
  });
  for (const fix of map.fixes) mend(graph, fix, isKept);
  graph.valueInfo = graph.valueInfo.filter(({ name }) => !map.tensors.has(name ?? ''));
  dropUnusedInitializers(graph);
}

/** Places of the labels that stay, in order. */
export function keptPlaces(map: ChannelMap, labels: Labels, removed: ReadonlySet<number>): number[] {
  return [...labels.keys()].filter((place) => !removed.has(map.labels.classOf(labels[place] as number)));
}

function sliceAxes(
  tensor: TensorProto,
  axes: ReadonlyMap<number, Labels>,
  isKept: (label: number) => boolean,
): TensorProto {
  let sliced = tensor;
  for (const [axis, labels] of axes) {
    const places = [...labels.keys()].filter((place) => isKept(labels[place] as number));
    if (places.length < labels.length) sliced = sliceTensor(sliced, axis, places);
  }
  return sliced;
}

/** The tensor with only `places` of one axis. */
export function sliceTensor(tensor: TensorProto, axis: number, places: readonly number[]): TensorProto {
  const dims = dimsOf(tensor);
  const values = readFloats(tensor);
  const size = dims[axis] as number;
  const inner = elementCount(dims.slice(axis + 1));
  const outer = elementCount(dims.slice(0, axis));
  const sliced = new Float32Array(outer * places.length * inner);
  for (let block = 0; block < outer; block++)
    places.forEach((place, index) => {
      const from = (block * size + place) * inner;
      sliced.set(values.subarray(from, from + inner), (block * places.length + index) * inner);
    });
  return floatTensor(tensor.name ?? '', dims.with(axis, places.length), sliced);
}

function mend(graph: GraphProto, fix: CountFix, isKept: (label: number) => boolean): void {
  const kept = (labels: Labels) => labels.filter(isKept).length;
  const { node } = fix;
  switch (fix.kind) {
    case 'group':
      replaceAttribute(node, 'group', kept(fix.labels));
      return;
    case 'split':
      node.attribute = node.attribute.filter(({ name }) => name !== 'num_outputs');
      replaceInput(graph, node, 1, fix.parts.map(kept));
      return;
    case 'element': {
      const tensor = graph.initializer.find(({ name }) => name === node.input[fix.input]);
      if (tensor === undefined) return;
      replaceInput(graph, node, fix.input, readIntegers(tensor).with(fix.position, kept(fix.labels)));
    }
  }
}

function replaceAttribute(node: NodeProto, name: string, value: number): void {
  node.attribute = [...node.attribute.filter((other) => other.name !== name), makeIntAttribute(name, value)];
}

/** Gives a node a constant of its own, since another node may read the old one. */
function replaceInput(graph: GraphProto, node: NodeProto, input: number, values: readonly number[]): void {
  const tensor = int64Tensor(unusedName(graph, `${node.output[0] ?? ''}_pruned`), [values.length], values);
  graph.initializer.push(tensor);
  node.input[input] = tensor.name ?? '';
}

/** A tensor name that the graph does not use yet. */
export function unusedName(graph: GraphProto, stem: string): string {
  const used = new Set([
    ...graph.initializer.map(({ name }) => name ?? ''),
    ...graph.input.map(({ name }) => name ?? ''),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  let name = stem;
  for (let index = 1; used.has(name); index++) name = `${stem}_${index}`;
  return name;
}
