// How channels pass through layers with constant weights. The channels a layer reads are a cut on one axis of its
// weights, the channels it makes a cut on another. Grouped convolutions lose the same channels in every group;
// depthwise ones lose whole groups, with the channels they read.

import type { NodeProto } from '../../onnx/onnx-types.ts';
import type { Labels } from './channel-labels.ts';
import type { ChannelMap } from './channel-map.ts';
import { intAttribute } from './node-values.ts';

/** Where Conv and ConvTranspose keep their channels in the weights. */
interface WeightAxes {
  readonly input: number;
  readonly output: number;
}

export const conv = (map: ChannelMap, node: NodeProto): void => convolve(map, node, { input: 1, output: 0 });
export const convTranspose = (map: ChannelMap, node: NodeProto): void =>
  convolve(map, node, { input: 0, output: 1 });

function convolve(map: ChannelMap, node: NodeProto, axes: WeightAxes): void {
  const [x, w, b] = node.input;
  const made = map.shapeOf(node.output[0])?.[1];
  const read = map.shapeOf(x)?.[1];
  const channels = map.channelsOf(x);
  const isUsable = map.isConstant(w) && (b === undefined || b === '' || map.isConstant(b));
  if (
    !isUsable ||
    made === undefined ||
    read === undefined ||
    (channels !== undefined && channels.axis !== 1)
  ) {
    map.freezeInputs(node);
    return;
  }
  map.accountFor(w);
  map.accountFor(b);
  const groups = intAttribute(node, 'group', 1);
  const layer: ConvLayer = { node, groups, axes, input: channels?.labels, made };
  if (groups > 1 && groups === read) depthwise(map, layer);
  else if (groups > 1) grouped(map, layer);
  else {
    if (layer.input !== undefined) map.cut(w, axes.input, layer.input, node);
    output(map, layer, map.labels.fresh(made, originOf(node)));
  }
}

interface ConvLayer {
  readonly node: NodeProto;
  readonly groups: number;
  readonly axes: WeightAxes;
  readonly input: Labels | undefined;
  readonly made: number;
}

function output(map: ChannelMap, { node, groups, axes, input }: ConvLayer, labels: Labels): void {
  const perGroup = axes.output === 1 ? labels.subarray(0, labels.length / groups) : labels;
  map.cut(node.input[1], axes.output, perGroup, node);
  if ((node.input[2] ?? '') !== '') map.cut(node.input[2], 0, labels, node);
  map.give(node.output[0], { axis: 1, labels }, node);
  map.layers.push({ node, groups, output: labels, ...(input === undefined ? {} : { input }) });
}

/** One input channel a group: its outputs go with it. */
function depthwise(map: ChannelMap, layer: ConvLayer): void {
  const { node, input, groups, made, axes } = layer;
  if (input === undefined) {
    map.layers.push({ node, groups });
    return;
  }
  const multiplier = made / groups;
  const labels = Int32Array.from(
    { length: made },
    (_, index) => input[Math.floor(index / multiplier)] as number,
  );
  map.fixes.push({ kind: 'group', node, labels: input });
  if (axes.output === 0) output(map, layer, labels);
  else {
    map.cut(node.input[1], axes.input, input, node);
    if ((node.input[2] ?? '') !== '') map.cut(node.input[2], 0, labels, node);
    map.give(node.output[0], { axis: 1, labels }, node);
    map.layers.push({ node, groups, input, output: labels });
  }
}

/** Channels at the same place of every group go together, so that the groups stay equal. */
function grouped(map: ChannelMap, layer: ConvLayer): void {
  const { node, input, groups, made, axes } = layer;
  if (input !== undefined) {
    sync(map, input, groups);
    map.cut(
      node.input[1],
      axes.input,
      axes.input === 1 ? input.subarray(0, input.length / groups) : input,
      node,
    );
  }
  const labels = map.labels.fresh(made, originOf(node));
  sync(map, labels, groups);
  output(map, layer, labels);
}

function sync(map: ChannelMap, labels: Labels, groups: number): void {
  const size = labels.length / groups;
  labels.forEach((label, index) => map.labels.join(labels[index % size] as number, label));
}

export function gemm(map: ChannelMap, node: NodeProto): void {
  const [a, b, c] = node.input;
  const channels = map.channelsOf(a);
  const made = map.shapeOf(node.output[0])?.[1];
  const addend = c === undefined || c === '' ? [] : map.shapeOf(c);
  const isUsable = map.isConstant(b) && intAttribute(node, 'transA', 0) === 0 && (channels?.axis ?? 1) === 1;
  if (!isUsable || made === undefined || addend === undefined || (addend.length > 0 && !map.isConstant(c))) {
    map.freezeInputs(node);
    return;
  }
  map.accountFor(b);
  map.accountFor(c);
  const transposed = intAttribute(node, 'transB', 0) !== 0;
  if (channels !== undefined) map.cut(b, transposed ? 1 : 0, channels.labels, node);
  const labels = map.labels.fresh(made, originOf(node));
  map.cut(b, transposed ? 0 : 1, labels, node);
  if (addend.length > 0 && addend.at(-1) !== 1) map.cut(c, addend.length - 1, labels, node);
  map.give(node.output[0], { axis: 1, labels }, node);
  map.layers.push({ node, groups: 1, output: labels, ...(channels && { input: channels.labels }) });
}

/** MatMul with a constant matrix on the right; channels are on the last axis. */
export function matMul(map: ChannelMap, node: NodeProto): void {
  const [a, b] = node.input;
  const channels = map.channelsOf(a);
  const shape = map.shapeOf(node.output[0]);
  const last = (map.shapeOf(a)?.length ?? 0) - 1;
  const isUsable =
    map.isConstant(b) && map.shapeOf(b)?.length === 2 && last >= 1 && (channels?.axis ?? last) === last;
  if (!isUsable || shape === undefined) {
    map.freezeInputs(node);
    return;
  }
  map.accountFor(b);
  if (channels !== undefined) map.cut(b, 0, channels.labels, node);
  const labels = map.labels.fresh(shape.at(-1) ?? 0, originOf(node));
  map.cut(b, 1, labels, node);
  map.give(node.output[0], { axis: shape.length - 1, labels }, node);
  map.layers.push({ node, groups: 1, output: labels, ...(channels && { input: channels.labels }) });
}

function originOf(node: NodeProto): string {
  return `${node.opType ?? ''} "${node.name ?? ''}"`;
}
