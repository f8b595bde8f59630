// Which classes of channels go: the same share of every group, or those that cost least, whatever their group, within
// limits. Kept channels of a group are a multiple of `roundTo`.

import type { Pruning } from '#protocol/compression.ts';
import type { ChannelMap } from './coupling/channel-map.ts';
import type { Step } from './elimination.ts';
import type { ChannelGroup } from './groups.ts';

/** A group loses at most this many times the ratio, and keeps at least this share. */
const MAX_TIMES_RATIO = 2;
const MIN_KEPT_SHARE = 0.1;

/** Most classes of a group that may go. */
export function removableCount({ classes, frozen }: ChannelGroup, { ratio, roundTo }: Pruning): number {
  const total = classes.length + frozen.length;
  const share = Math.min(ratio * MAX_TIMES_RATIO, 1 - MIN_KEPT_SHARE);
  return Math.max(0, Math.min(classes.length, Math.ceil(total * share), total - Math.max(1, roundTo)));
}

/** Classes with the lowest scores: the same share of every group. */
export function selectEvenly(
  groups: readonly ChannelGroup[],
  scores: ReadonlyMap<number, number>,
  pruning: Pruning,
): Set<number> {
  const removed = new Set<number>();
  for (const group of groups) {
    const order = group.classes.map(({ id }) => id);
    order.sort((a, b) => (scores.get(a) ?? 0) - (scores.get(b) ?? 0));
    take(group, order, pruning.ratio * order.length, pruning, removed);
  }
  return removed;
}

/** Classes that cost least by channel over all groups, until the share of all channels is reached. */
export function selectCheapest(
  orders: ReadonlyMap<ChannelGroup, readonly Step[]>,
  pruning: Pruning,
): Set<number> {
  const channels = new Map(
    [...orders.keys()].flatMap(({ classes }) => classes.map((one) => [one.id, one.channels])),
  );
  const steps = [...orders].flatMap(([group, order]) => {
    let highest = 0;
    return order.map(({ id, cost }) => {
      highest = Math.max(highest, cost / (channels.get(id) ?? 1));
      return { group, id, cost: highest };
    });
  });
  steps.sort((a, b) => a.cost - b.cost);
  let wanted = pruning.ratio * [...channels.values()].reduce((total, count) => total + count, 0);
  const counts = new Map<ChannelGroup, number>();
  for (const { group, id } of steps) {
    const size = channels.get(id) ?? 1;
    if (wanted < size / 2) continue;
    wanted -= size;
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  const removed = new Set<number>();
  for (const [group, order] of orders)
    take(
      group,
      order.map(({ id }) => id),
      counts.get(group) ?? 0,
      pruning,
      removed,
    );
  return removed;
}

/** Takes about `count` classes in order, so that what is kept is a multiple of `roundTo`. */
function take(
  { classes, frozen }: ChannelGroup,
  order: readonly number[],
  count: number,
  { roundTo }: Pruning,
  removed: Set<number>,
): void {
  if (count <= 0) return;
  const total = classes.length + frozen.length;
  const kept = Math.max(1, Math.round((total - count) / roundTo)) * roundTo;
  for (const id of order.slice(0, Math.max(0, total - kept))) removed.add(id);
}

/** Puts back a class of every tensor that would lose all of its channels: a part of a Split, say. */
export function spareEmptied(map: ChannelMap, removed: Set<number>): void {
  for (const { labels } of map.tensors.values()) {
    const classes = Array.from(labels, (label) => map.labels.classOf(label));
    const [first] = classes;
    if (first !== undefined && classes.every((id) => removed.has(id))) removed.delete(first);
  }
}
