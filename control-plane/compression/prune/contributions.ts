// The order in which the channels of each group are given up with least loss to the layers that read them,
// measured on calibration samples of the original model. Memory is bounded: layers are surveyed a few at a time.

import type { ModelProto } from '../onnx/onnx-types.ts';
import type { StepContext } from '../step.ts';
import type { ChannelMap, Layer } from './coupling/channel-map.ts';
import { eliminationCosts, eliminationOrder, type Reader, type Step } from './elimination.ts';
import type { Moments } from './moments.ts';
import { placesByClass, type ChannelGroup } from './groups.ts';
import { readWeights, type LayerWeights } from './layer-weights.ts';
import { MAX_FIT_INPUTS } from './refit.ts';
import { collectMoments, type RowSource } from './sample-rows.ts';

const MAX_MOMENT_BYTES = 256 * 1024 ** 2;

/** Steps of each group that has readers, `count(group)` of them; in the order of the scores where there are any. */
export async function contributionOrders(
  model: ModelProto,
  map: ChannelMap,
  groups: readonly ChannelGroup[],
  count: (group: ChannelGroup) => number,
  scores: ReadonlyMap<number, number> | null,
  context: StepContext,
): Promise<Map<ChannelGroup, Step[]>> {
  const surveyed = map.layers.flatMap((layer) => survey(map, layer) ?? []);
  const readers: Reader[] = [];
  for (const [index, batch] of batches(surveyed).entries()) {
    context.progress({ phase: 'rank channels', done: index, total: surveyed.length });
    const sources = batch.map(({ source }) => source);
    const moments = await collectMoments(sources, model, model, context);
    batch.forEach(({ source, layer }, at) =>
      readers.push(...readersOf(map, layer, source.weights, moments[at] ?? [])),
    );
  }
  const orders = new Map<ChannelGroup, Step[]>();
  for (const group of groups) {
    const ids = group.classes.map(({ id }) => id);
    const own = readers.filter(({ columns }) => ids.some((id) => columns.has(id)));
    if (own.length === 0) continue;
    const byScore = ids
      .toSorted((a, b) => (scores?.get(a) ?? 0) - (scores?.get(b) ?? 0))
      .slice(0, count(group));
    orders.set(
      group,
      scores === null ? eliminationOrder(own, ids, count(group)) : eliminationCosts(own, byScore),
    );
  }
  return orders;
}

interface Surveyed {
  readonly layer: Layer;
  readonly source: RowSource;
}

/** The layer as a source of rows, or undefined where it mixes no channels or is too wide. */
function survey(map: ChannelMap, layer: Layer): Surveyed | undefined {
  const { node, input, groups } = layer;
  const tensor = map.index.initializers.get(node.input[1] ?? '');
  if (input === undefined || tensor === undefined || (groups > 1 && groups === input.length))
    return undefined;
  const weights = readWeights(tensor, node);
  if (weights.columns > MAX_FIT_INPUTS || weights.kernel.length > 2) return undefined;
  const [read = '', made = ''] = [node.input[0], node.output[0]];
  return { layer, source: { node, weights, input: read, target: made, kept: [] } };
}

function batches(surveyed: readonly Surveyed[]): Surveyed[][] {
  const result: Surveyed[][] = [];
  let sizeBytes = Infinity;
  for (const one of surveyed) {
    const { groups, columns } = one.source.weights;
    sizeBytes += groups * columns * columns * Float64Array.BYTES_PER_ELEMENT;
    if (sizeBytes > MAX_MOMENT_BYTES) {
      result.push([]);
      sizeBytes = groups * columns * columns * Float64Array.BYTES_PER_ELEMENT;
    }
    result.at(-1)?.push(one);
  }
  return result;
}

/** One reader a group of the convolution. */
function readersOf(
  map: ChannelMap,
  { input }: Layer,
  weights: LayerWeights,
  moments: readonly Moments[],
): Reader[] {
  if (input === undefined) return [];
  const perGroup = input.length / weights.groups;
  const taps = weights.columns / perGroup;
  const size = weights.rows * weights.columns;
  return moments.map((moment, group) => {
    const places = placesByClass(map, input.subarray(group * perGroup, (group + 1) * perGroup));
    const columns = new Map(
      [...places].map(([id, at]) => [
        id,
        at.flatMap((place) => Array.from({ length: taps }, (_, tap) => place * taps + tap)),
      ]),
    );
    const { xx } = moment.covariance(true);
    return { xx, weights: weights.values.slice(group * size, (group + 1) * size), columns };
  });
}
