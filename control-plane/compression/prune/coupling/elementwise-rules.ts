// How channels pass through operators that treat each element, or each channel, on its own. Broadcasting is
// NumPy's: shapes are aligned on the right, and a size of 1 couples nothing.

import type { NodeProto } from '../../onnx/onnx-types.ts';
import type { ChannelMap, Channels } from './channel-map.ts';

/** One tensor in, one of the same shape out; other inputs are scalars (Clip). */
export function unary(map: ChannelMap, node: NodeProto): void {
  const channels = map.channelsOf(node.input[0]);
  if (channels !== undefined) map.give(node.output[0], channels, node);
}

/** Add, Mul, PRelu, Where ...: channels that meet are one class, constants are cut with them. */
export function broadcast(map: ChannelMap, node: NodeProto): void {
  const rank = map.shapeOf(node.output[0])?.length;
  const met = rank === undefined ? undefined : meet(map, node, rank);
  if (rank === undefined || met === undefined) {
    map.freezeInputs(node);
    return;
  }
  for (const name of node.input) {
    const shape = map.shapeOf(name);
    if (name === '' || map.channelsOf(name) !== undefined) continue;
    const axis = met.axis - rank + (shape?.length ?? 0);
    if (shape === undefined) map.freeze(met.labels, node);
    else if (axis < 0 || shape[axis] === 1) map.accountFor(name);
    else {
      map.cut(name, axis, met.labels, node);
      map.accountFor(name);
    }
  }
  map.give(node.output[0], met, node);
}

/** The channels of an element-wise output, or undefined where operands carry none or on different axes. */
function meet(map: ChannelMap, node: NodeProto, rank: number): Channels | undefined {
  let met: Channels | undefined;
  for (const name of node.input) {
    const channels = map.channelsOf(name);
    const shape = map.shapeOf(name);
    if (channels === undefined || shape === undefined) continue;
    const axis = channels.axis + rank - shape.length;
    if (channels.labels.length === 1) map.freeze(channels.labels, node);
    else if (met === undefined) met = { axis, labels: channels.labels };
    else if (met.axis !== axis) return undefined;
    else map.labels.joinAll(met.labels, channels.labels);
  }
  return met;
}

/** BatchNormalization and InstanceNormalization: one scale, shift and so on a channel, on axis 1. */
export function perChannel(map: ChannelMap, node: NodeProto): void {
  const channels = map.channelsOf(node.input[0]);
  if (channels === undefined) return;
  if (channels.axis !== 1) {
    map.freezeInputs(node);
    return;
  }
  for (const name of node.input.slice(1)) {
    map.cut(name, 0, channels.labels, node);
    map.accountFor(name);
  }
  map.give(node.output[0], channels, node);
}

/** Pooling: channels on axis 1, each on its own. */
export function pooling(map: ChannelMap, node: NodeProto): void {
  const channels = map.channelsOf(node.input[0]);
  if (channels === undefined) return;
  if (channels.axis === 1 && (node.output[1] ?? '') === '') map.give(node.output[0], channels, node);
  else map.freezeInputs(node);
}
