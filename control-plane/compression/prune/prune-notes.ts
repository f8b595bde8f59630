// What pruning tells people: what was taken out, and what stays whole and why.

import type { StepContext } from '../step.ts';
import type { ChannelGroup } from './groups.ts';

/** Groups that are named one by one. */
const MAX_NAMED = 20;

export function noteFrozen(groups: readonly ChannelGroup[], context: StepContext): void {
  const held = groups.filter(({ frozen }) => frozen.length > 0);
  for (const { origin, frozen, reason } of held.slice(0, MAX_NAMED))
    context.note(`${plural(frozen.length, 'channel')} of ${origin} stay: held by ${reason}`);
  if (held.length > MAX_NAMED)
    context.note(`channels of ${held.length - MAX_NAMED} more layers stay for reasons alike`);
}

export function noteCut(
  groups: readonly ChannelGroup[],
  removed: ReadonlySet<number>,
  context: StepContext,
): void {
  let [gone, total, cut] = [0, 0, 0];
  for (const { classes } of groups) {
    const lost = classes.filter(({ id }) => removed.has(id)).reduce((sum, { channels }) => sum + channels, 0);
    total += classes.reduce((sum, { channels }) => sum + channels, 0);
    gone += lost;
    if (lost > 0) cut += 1;
  }
  const share = total === 0 ? 0 : (100 * gone) / total;
  context.note(
    removed.size === 0
      ? 'nothing was taken out: the share is less than one channel of each group'
      : `took ${gone} of ${total} prunable channels (${share.toFixed(1)} %) out of ${plural(cut, 'group')} of layers`,
  );
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
