// How channels pass through operators that keep the order of elements: Reshape, Flatten, Squeeze, Unsqueeze. An
// element's channel follows from its flat index, before and after.

import type { NodeProto } from '../../onnx/onnx-types.ts';
import { elementCount } from '../../onnx/tensor-data.ts';
import type { Labels } from './channel-labels.ts';
import type { ChannelMap, Channels } from './channel-map.ts';
import { constantIntegers, intAttribute } from './node-values.ts';

/** Flatten, Squeeze and Unsqueeze: the output's shape follows from the input's. */
export function sameOrder(map: ChannelMap, node: NodeProto): void {
  const channels = map.channelsOf(node.input[0]);
  if (channels === undefined) return;
  const moved = follow(map, node, channels);
  if (moved === undefined) map.freezeInputs(node);
  else map.give(node.output[0], moved, node);
}

/** Reshape: as above, and a target that is spelled out has to follow the cut. */
export function reshape(map: ChannelMap, node: NodeProto): void {
  const channels = map.channelsOf(node.input[0]);
  if (channels === undefined) return;
  const moved = follow(map, node, channels);
  const isFollowed = moved !== undefined && intAttribute(node, 'allowzero', 0) === 0;
  if (isFollowed && fixTarget(map, node, channels, moved)) map.give(node.output[0], moved, node);
  else map.freezeInputs(node);
}

function follow(map: ChannelMap, node: NodeProto, channels: Channels): Channels | undefined {
  const from = map.shapeOf(node.input[0]);
  const to = map.shapeOf(node.output[0]);
  return from === undefined || to === undefined ? undefined : followReshape(map, from, to, channels);
}

/** Where the channels of a tensor lie once its elements are laid out as `to`; undefined where no axis has them. */
export function followReshape(
  map: ChannelMap,
  from: readonly number[],
  to: readonly number[],
  { axis, labels }: Channels,
): Channels | undefined {
  /** Elements of one channel that lie together. */
  const inner = elementCount(from.slice(axis + 1));
  for (const [at, size] of to.entries()) {
    const run = inner / elementCount(to.slice(at + 1));
    if (!Number.isInteger(run) || size === 0 || size % (labels.length * run) !== 0) continue;
    const pick = (index: number) => labels[Math.floor(index / run) % labels.length] as number;
    return { axis: at, labels: Int32Array.from({ length: size }, (_, index) => pick(index)) };
  }
  for (const [at, size] of to.entries()) {
    const merged = elementCount(to.slice(at + 1)) / inner;
    if (size > 1 && Number.isInteger(merged) && size * merged === labels.length)
      return { axis: at, labels: splitLabels(map, labels, merged) };
  }
  return undefined;
}

/** Channels that one entry of the new axis holds go together. */
function splitLabels(map: ChannelMap, labels: Labels, merged: number): Labels {
  labels.forEach((label, index) => map.labels.join(labels[index - (index % merged)] as number, label));
  return labels.filter((_, index) => index % merged === 0);
}

/** True where the target shape is right after a cut, or will be mended. */
function fixTarget(map: ChannelMap, node: NodeProto, before: Channels, after: Channels): boolean {
  const element = targetElement(map, node, after.axis);
  if (element === undefined) return false;
  const value = constantIntegers(map, element.node.input[element.input])?.[element.position];
  if (value === -1) return true;
  if (value === 0) return before.axis === after.axis && before.labels.length === after.labels.length;
  if (value !== after.labels.length) return false;
  map.fixes.push({ kind: 'element', ...element, labels: after.labels });
  return true;
}

interface TargetElement {
  readonly node: NodeProto;
  readonly input: number;
  readonly position: number;
}

/** The constant that holds one element of a target shape: the shape itself, or a part of a Concat that makes it. */
function targetElement(map: ChannelMap, node: NodeProto, axis: number): TargetElement | undefined {
  const name = node.input[1];
  if (map.isConstant(name)) return { node, input: 1, position: axis };
  const concat = map.index.producers.get(name ?? '');
  if (concat?.opType !== 'Concat' || map.index.consumers.get(name ?? '')?.length !== 1) return undefined;
  let position = axis;
  for (const [input, part] of concat.input.entries()) {
    const length = map.shapeOf(part)?.[0] ?? 0;
    if (position < length) return map.isConstant(part) ? { node: concat, input, position } : undefined;
    position -= length;
  }
  return undefined;
}
