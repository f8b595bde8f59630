// How channels pass through operators that move, join, split, pad or repeat parts of a tensor. What they do along
// the channel axis itself is followed for Concat and Split and freezes the channels elsewhere.

import type { NodeProto } from '../../onnx/onnx-types.ts';
import type { ChannelMap, Channels } from './channel-map.ts';
import { axesOf, constantIntegers, intAttribute, intsAttribute } from './node-values.ts';

/** Runs a rule on the channels of input 0; where it has no answer they stay. */
function followed(
  rule: (map: ChannelMap, node: NodeProto, channels: Channels, rank: number) => Channels | undefined,
): (map: ChannelMap, node: NodeProto) => void {
  return (map, node) => {
    const channels = map.channelsOf(node.input[0]);
    const rank = map.shapeOf(node.input[0])?.length;
    if (channels === undefined || rank === undefined) return;
    const moved = rule(map, node, channels, rank);
    if (moved === undefined) map.freezeInputs(node);
    else map.give(node.output[0], moved, node);
  };
}

export const transpose = followed((_, node, { axis, labels }, rank) => {
  const order = intsAttribute(node, 'perm') ?? Array.from({ length: rank }, (_, index) => rank - 1 - index);
  return { axis: order.indexOf(axis), labels };
});

export const pad = followed((map, node, channels, rank) => {
  const pads = constantIntegers(map, node.input[1]);
  const axes = axesOf(map, node, 3, rank);
  if (pads === undefined || axes === undefined) return undefined;
  const padded = axes === 'absent' ? Array.from({ length: rank }, (_, axis) => axis) : axes;
  const at = padded.indexOf(channels.axis);
  const isPadded = at >= 0 && (pads[at] !== 0 || pads[at + padded.length] !== 0);
  return isPadded ? undefined : channels;
});

export const slice = followed((map, node, channels, rank) => {
  const axes = axesOf(map, node, 3, rank);
  return axes === undefined || axes === 'absent' || axes.includes(channels.axis) ? undefined : channels;
});

export const reduce = followed((map, node, { axis, labels }, rank) => {
  const axes = axesOf(map, node, 1, rank);
  if (axes === undefined || axes === 'absent' || axes.includes(axis)) return undefined;
  const isKept = intAttribute(node, 'keepdims', 1) !== 0;
  return { axis: isKept ? axis : axis - axes.filter((reduced) => reduced < axis).length, labels };
});

/** Picks along another axis than the channels'. */
export const gather = followed((map, node, { axis, labels }, rank) => {
  const picked = intAttribute(node, 'axis', 0);
  const along = picked < 0 ? picked + rank : picked;
  const indexRank = map.shapeOf(node.input[1])?.length;
  if (along === axis || indexRank === undefined) return undefined;
  return { axis: axis < along ? axis : axis - 1 + indexRank, labels };
});

/** Resize: scales keep the channels; sizes that are spelled out have to follow the cut. */
export const resize = followed((map, node, channels, rank) => {
  const axes = intsAttribute(node, 'axes')?.map((axis) => (axis < 0 ? axis + rank : axis));
  const position = axes === undefined ? channels.axis : axes.indexOf(channels.axis);
  if (position < 0 || (node.input[3] ?? '') === '') return channels;
  return mend(map, node, 3, position, channels) ? channels : undefined;
});

export const expand = followed((map, node, { axis, labels }, rank) => {
  const target = map.shapeOf(node.input[1])?.[0];
  const made = map.shapeOf(node.output[0])?.length;
  if (target === undefined || made === undefined) return undefined;
  const moved = { axis: axis + made - rank, labels };
  const position = moved.axis - (made - target);
  return position < 0 || mend(map, node, 1, position, moved) ? moved : undefined;
});

/** True where element `position` of a constant target is 1 or the channels' count, which is then kept right. */
function mend(
  map: ChannelMap,
  node: NodeProto,
  input: number,
  position: number,
  { labels }: Channels,
): boolean {
  const value = constantIntegers(map, node.input[input])?.[position];
  if (value === 1 && labels.length > 1) return true;
  if (value !== labels.length) return false;
  map.fixes.push({ kind: 'element', node, input, position, labels });
  return true;
}

export function concat(map: ChannelMap, node: NodeProto): void {
  const first = node.input.map((name) => map.channelsOf(name)).find((channels) => channels !== undefined);
  const rank = map.shapeOf(node.output[0])?.length;
  if (first === undefined) return;
  const along = intAttribute(node, 'axis', 0);
  const axis = rank === undefined || along >= 0 ? along : along + rank;
  if (node.input.some((name) => (map.channelsOf(name)?.axis ?? first.axis) !== first.axis))
    map.freezeInputs(node);
  else if (axis === first.axis) concatChannels(map, node, axis);
  else concatElsewhere(map, node, first);
}

/** Parts without channels of their own stay whole. */
function concatChannels(map: ChannelMap, node: NodeProto, axis: number): void {
  const parts = node.input.map((name) => {
    const known = map.channelsOf(name)?.labels;
    if (known !== undefined) return known;
    const labels = map.labels.fresh(map.shapeOf(name)?.[axis] ?? 0, `"${name}"`);
    map.freeze(labels, node);
    return labels;
  });
  const labels = Int32Array.from(parts.flatMap((part) => [...part]));
  map.give(node.output[0], { axis, labels }, node);
}

function concatElsewhere(map: ChannelMap, node: NodeProto, first: Channels): void {
  for (const name of node.input) {
    const channels = map.channelsOf(name);
    if (channels !== undefined) map.labels.joinAll(first.labels, channels.labels);
    else {
      map.cut(name, first.axis, first.labels, node);
      map.accountFor(name);
    }
  }
  map.give(node.output[0], first, node);
}

export function split(map: ChannelMap, node: NodeProto): void {
  const channels = map.channelsOf(node.input[0]);
  const rank = map.shapeOf(node.input[0])?.length ?? 0;
  if (channels === undefined) return;
  const along = intAttribute(node, 'axis', 0);
  const axis = along < 0 ? along + rank : along;
  if (axis !== channels.axis) {
    for (const name of node.output) map.give(name, channels, node);
    return;
  }
  let start = 0;
  const parts = node.output.map((name) => {
    const size = map.shapeOf(name)?.[axis] ?? 0;
    start += size;
    return channels.labels.subarray(start - size, start);
  });
  if (start !== channels.labels.length || parts.some((part) => part.length === 0)) {
    map.freezeInputs(node);
    return;
  }
  map.fixes.push({ kind: 'split', node, parts });
  node.output.forEach((name, index) =>
    map.give(name, { axis, labels: parts[index] ?? new Int32Array() }, node),
  );
}

/** Shape: what it tells of other axes may be used; of the channels' it may not, for that would be another number. */
export function shape(map: ChannelMap, node: NodeProto): void {
  const channels = map.channelsOf(node.input[0]);
  const rank = map.shapeOf(node.input[0])?.length ?? 0;
  if (channels === undefined) return;
  const within = (index: number) => Math.min(Math.max(index < 0 ? index + rank : index, 0), rank);
  const start = within(intAttribute(node, 'start', 0));
  const position = channels.axis - start;
  const length = within(intAttribute(node, 'end', rank)) - start;
  const readers = map.index.consumers.get(node.output[0] ?? '') ?? [];
  const isTold = position >= 0 && position < length;
  const isReturned = map.index.outputs.has(node.output[0] ?? '');
  if (isTold && (isReturned || readers.some((reader) => mayRead(map, reader, position, length))))
    map.freezeInputs(node);
}

/** Whether a reader of a shape of `length` elements may use the one at `position`. */
function mayRead(map: ChannelMap, reader: NodeProto, position: number, length: number): boolean {
  if (reader.opType === 'Gather') {
    const picked = constantIntegers(map, reader.input[1]);
    return picked === undefined || picked.some((index) => (index < 0 ? index + length : index) === position);
  }
  const [start] = constantIntegers(map, reader.input[1]) ?? [];
  const [end] = constantIntegers(map, reader.input[2]) ?? [];
  if (reader.opType !== 'Slice' || start === undefined || end === undefined || reader.input[4]) return true;
  const from = start < 0 ? start + length : start;
  const to = end < 0 ? end + length : end;
  return position >= from && position < to;
}
