// The dependency groups of a model: classes of channels that may go one by one, and how much each is worth.

import type { Labels } from './coupling/channel-labels.ts';
import type { ChannelMap } from './coupling/channel-map.ts';

/** Channels that only go together, named by their class. */
export interface ChannelClass {
  readonly id: number;
  /** Output channels of layers that go with it. */
  readonly channels: number;
}

export interface ChannelGroup {
  /** The layer that makes the first of its channels. */
  readonly origin: string;
  readonly classes: readonly ChannelClass[];
  /** Classes of the group that have to stay. */
  readonly frozen: readonly ChannelClass[];
  /** Why they stay, or '' where all may go. */
  readonly reason: string;
}

/** Groups in the order in which their layers stand in the graph. */
export function channelGroups(map: ChannelMap): ChannelGroup[] {
  const channels = new Map<number, number>();
  const orders = new Map<number, number[]>();
  for (const { output } of map.layers) for (const label of output ?? []) count(map, label, channels, orders);
  return [...orders].map(([group, ids]) => {
    const classes = ids.map((id) => ({ id, channels: channels.get(id) ?? 0 }));
    const frozen = classes.filter(({ id }) => map.labels.frozenBy(id) !== undefined);
    const [first] = frozen;
    return {
      origin: map.labels.originOf(group),
      classes: classes.filter(({ id }) => map.labels.frozenBy(id) === undefined),
      frozen,
      reason: first === undefined ? '' : (map.labels.frozenBy(first.id) ?? ''),
    };
  });
}

function count(map: ChannelMap, label: number, channels: Map<number, number>, orders: Map<number, number[]>) {
  const id = map.labels.classOf(label);
  const known = channels.get(id);
  channels.set(id, (known ?? 0) + 1);
  if (known !== undefined) return;
  const group = map.labels.groupOf(label);
  const ids = orders.get(group);
  if (ids === undefined) orders.set(group, [id]);
  else ids.push(id);
}

/** Places of `labels` whose class is `id`, for each class that comes. */
export function placesByClass(map: ChannelMap, labels: Labels): Map<number, number[]> {
  const places = new Map<number, number[]>();
  labels.forEach((label, place) => {
    const id = map.labels.classOf(label);
    const known = places.get(id);
    if (known === undefined) places.set(id, [place]);
    else known.push(place);
  });
  return places;
}
