import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import type { ModelProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { readFloats, dimsOf, floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { shapesOf } from '#control-plane/compression/prune/activations.ts';
import type { ChannelMap } from '#control-plane/compression/prune/coupling/channel-map.ts';
import { coupleChannels } from '#control-plane/compression/prune/coupling/couple.ts';
import { cutChannels } from '#control-plane/compression/prune/cut.ts';
import { channelGroups } from '#control-plane/compression/prune/groups.ts';
import { BLOCKS, graphOfBlocks, HEADS, imageFeeds } from './layered-graph.ts';
import { outputsOf, relativeError } from './run-model.ts';

const feeds = imageFeeds(2);

/** The whole model, where layers read nothing of the removed channels: what a right cut must compute. */
function withoutReads(model: ModelProto, map: ChannelMap, removed: ReadonlySet<number>): ModelProto {
  const silenced = decodeModel(encodeModel(model));
  const graph = graphOf(silenced);
  for (const { node, input, groups } of map.layers) {
    const tensor = graph.initializer.find(({ name }) => name === node.input[1]);
    if (tensor === undefined || input === undefined || groups === input.length) continue;
    const dims = dimsOf(tensor);
    const isOnFirst = node.opType === 'ConvTranspose' || node.opType === 'MatMul';
    const axis = isOnFirst ? 0 : 1;
    const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
    const values = readFloats(tensor).map((value, index) => {
      const place = Math.floor(index / inner) % (dims[axis] ?? 1);
      return removed.has(map.labels.classOf(input[place] as number)) ? 0 : value;
    });
    graph.initializer = graph.initializer.map((other) =>
      other === tensor ? floatTensor(tensor.name ?? '', dims, values) : other,
    );
  }
  return silenced;
}

test('a cut of any channels of any graph computes what the graph computes without reading them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...BLOCKS), { minLength: 1, maxLength: 5 }),
      fc.constantFrom(...HEADS),
      fc.infiniteStream(fc.boolean()),
      async (blocks, head, coins) => {
        const model = graphOfBlocks(['conv', ...blocks], head);
        const map = coupleChannels(graphOf(model), await shapesOf(model, feeds[0]!));
        const removed = new Set<number>();
        for (const { classes, frozen } of channelGroups(map))
          for (const { id } of classes.slice(frozen.length > 0 ? 0 : 1))
            if (coins.next().value === true) removed.add(id);
        const silenced = withoutReads(model, map, removed);
        cutChannels(graphOf(model), map, removed);
        const [expected, actual] = [await outputsOf(silenced, feeds), await outputsOf(model, feeds)];
        expect(actual.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape));
        expect(relativeError(expected, actual)).toBeLessThan(1e-4);
      },
    ),
    { numRuns: 60 },
  );
});
