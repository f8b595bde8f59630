import { expect, test } from 'vitest';
import { trialsOf } from '#control-plane/compression/mixed/quantized-copy.ts';
import { worstLayers } from '#control-plane/compression/mixed/sensitivity.ts';
import { encodeModel } from '#control-plane/compression/onnx/codec.ts';
import { makeNode } from '#control-plane/compression/onnx/messages.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { convBytes, convFeeds, modelOf } from '../small-models.ts';
import { calibrated, contextOf, recipe, unevenFeeds, unevenModel } from './uneven-model.ts';

test('the tensors of a quantized model are ranked by their noise, worst first', async () => {
  const model = unevenModel();
  const context = contextOf(unevenFeeds(8));
  const quantized = trialsOf(model, recipe(), await calibrated(model, context))(new Set());
  const worst = await worstLayers(encodeModel(model), quantized, context.samples);
  expect(worst.map(({ name }) => name).toSorted()).toEqual(['first', 'last', 'uneven', 'scores'].toSorted());
  expect(worst.map(({ sqnrDb }) => sqnrDb)).toEqual(
    worst.map(({ sqnrDb }) => sqnrDb).toSorted((a, b) => a - b),
  );
  expect(worst.at(-1)?.name).toBe('first');
  expect(worst[0]?.opType).toBe('MatMul');
});

test('a model against itself has no worst layers', async () => {
  expect(await worstLayers(convBytes(), convBytes(), contextOf(convFeeds(2)).samples)).toEqual([]);
});

test('twenty are reported of more, and the worst are among them', async () => {
  const count = 60;
  const chain = (lastScale: number) => {
    const nodes = Array.from({ length: count }, (_, at) =>
      makeNode(
        'Mul',
        [at === 0 ? 'x' : `t${at}`, at === count - 1 ? 'last' : 'scale'],
        [`t${at + 1}`],
        `mul${at}`,
      ),
    );
    const scales = [
      floatTensor('scale', [1], Float32Array.of(1 - lastScale / 1000)),
      floatTensor('last', [1], Float32Array.of(1 + lastScale)),
    ];
    return encodeModel(modelOf(nodes, scales, { x: [1, 2, 6, 6] }, { [`t${count}`]: [1, 2, 6, 6] }));
  };
  const worst = await worstLayers(chain(0), chain(0.5), contextOf(convFeeds(1)).samples);
  expect(worst).toHaveLength(20);
  expect(worst[0]).toMatchObject({ name: 'mul59', opType: 'Mul' });
  expect(worst[1]?.name).toBe('mul58');
});
