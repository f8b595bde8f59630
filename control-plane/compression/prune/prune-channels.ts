// Takes whole channels out of a float model: couples what can only go together, chooses what costs least, cuts it
// in place, and refits what is left. Invariant: the model's outputs keep their shapes.

import type { Pruning } from '#protocol/compression.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { decodeModel, encodeModel, graphOf } from '../onnx/codec.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';
import type { StepContext } from '../step.ts';
import type { TensorFeed } from '../tensor-feed.ts';
import { shapesOf } from './activations.ts';
import { contributionOrders } from './contributions.ts';
import type { ChannelMap } from './coupling/channel-map.ts';
import { coupleChannels } from './coupling/couple.ts';
import { cutChannels, keptPlaces } from './cut.ts';
import { channelGroups, type ChannelGroup } from './groups.ts';
import { fitNear } from './least-squares.ts';
import { noteCut, noteFrozen } from './prune-notes.ts';
import { refitLayers } from './refit.ts';
import { removableCount, selectCheapest, selectEvenly, spareEmptied } from './select.ts';
import { weightNorms } from './norms.ts';

/** Edits the model in place. Throws `compression-failed` where no channel can go, or `dataset-invalid`. */
export async function pruneChannels(
  model: ModelProto,
  pruning: Pruning,
  sample: TensorFeed,
  context: StepContext,
): Promise<void> {
  const shapes = await shapesOf(model, sample);
  const map = coupleChannels(graphOf(model), shapes);
  const groups = channelGroups(map);
  noteFrozen(groups, context);
  const prunable = groups.filter(({ classes }) => classes.length > 0);
  if (prunable.length === 0) {
    const [first] = groups;
    const why = first === undefined ? '' : `: those of ${first.origin} are held by ${first.reason}`;
    throw new HoldfastError('compression-failed', `no channel of the model can be taken out${why}`, {
      hint: 'try another recipe (int8 or fp16) for this profile',
    });
  }
  const removed = await select(model, map, prunable, pruning, context);
  spareEmptied(map, removed);
  noteCut(prunable, removed, context);
  if (removed.size === 0) return;
  const original = pruning.refit ? decodeModel(encodeModel(model)) : undefined;
  const layers = map.layers.map(({ node, output }) => ({
    node,
    kept:
      output === undefined
        ? outputChannels(shapes.get(node.output[0] ?? ''))
        : keptPlaces(map, output, removed),
  }));
  cutChannels(graphOf(model), map, removed);
  if (original !== undefined) {
    const isFitted = (_: unknown, isChanged: boolean) => isChanged;
    const task = { model, original, layers, context, isFitted, fit: fitNear };
    await refitLayers(task, cutTensors(map, removed));
  }
  await checkOutputs(model, sample, shapes);
}

/** Every channel of a convolution, for only those may make channels that are not followed. */
function outputChannels(shape: readonly number[] | undefined): number[] {
  return Array.from({ length: shape?.[1] ?? 0 }, (_, channel) => channel);
}

/** Tensors that have lost channels. */
function cutTensors(map: ChannelMap, removed: ReadonlySet<number>): Set<string> {
  const isCut = (label: number) => removed.has(map.labels.classOf(label));
  return new Set([...map.tensors].filter(([, { labels }]) => labels.some(isCut)).map(([name]) => name));
}

/**
 * Without a refit, norms take the same share of every group. Else norms or contributions say which channels of a
 * group go first, and what a refit cannot mend says how many.
 */
async function select(
  model: ModelProto,
  map: ChannelMap,
  groups: readonly ChannelGroup[],
  pruning: Pruning,
  context: StepContext,
): Promise<Set<number>> {
  const { importance, refit } = pruning;
  const norms = weightNorms(map, importance === 'l1' ? 'l1' : 'l2');
  if (importance !== 'activation' && !refit) return selectEvenly(groups, norms, pruning);
  const scores = importance === 'activation' ? null : norms;
  const most = (group: ChannelGroup) => removableCount(group, pruning);
  const orders = await contributionOrders(model, map, groups, most, scores, context);
  const unread = groups.filter((group) => !orders.has(group));
  return new Set([...selectCheapest(orders, pruning), ...selectEvenly(unread, norms, pruning)]);
}

async function checkOutputs(
  model: ModelProto,
  sample: TensorFeed,
  before: ReadonlyMap<string, readonly number[]>,
): Promise<void> {
  const after = await shapesOf(model, sample);
  for (const { name = '' } of graphOf(model).output) {
    if (after.get(name)?.join() === before.get(name)?.join()) continue;
    throw new HoldfastError(
      'compression-failed',
      `without its channels the model gives "${name}" another shape`,
    );
  }
}
