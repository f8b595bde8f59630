import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeIntAttribute, makeIntsAttribute, makeNode } from '#control-plane/compression/onnx/messages.ts';
import {
  AttributeProtoAttributeType,
  type AttributeProto,
} from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { placeCount, rowsOf, windowOf } from '#control-plane/compression/prune/layer-rows.ts';
import { readWeights, withWeights } from '#control-plane/compression/prune/layer-weights.ts';
import { floatFeed } from '#control-plane/compression/tensor-feed.ts';
import { modelOf, noise } from '../small-models.ts';
import { outputsOf } from './run-model.ts';

const SIZES = { channels: 4, height: 7, width: 6 };

function textAttribute(name: string, text: string): AttributeProto {
  return {
    ...makeIntsAttribute(name, []),
    type: AttributeProtoAttributeType.STRING,
    s: new TextEncoder().encode(text),
  };
}

const convolution = fc.record({
  opType: fc.constantFrom('Conv', 'ConvTranspose'),
  groups: fc.constantFrom(1, 2, 4),
  kernel: fc.constantFrom([1, 1], [3, 3], [3, 2]),
  strides: fc.constantFrom([1, 1], [2, 2], [1, 2]),
  dilations: fc.constantFrom([1, 1], [2, 1]),
  padding: fc.constantFrom('none', 'even', 'uneven', 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
});

test('the rows of a convolution times its weights are what ONNX Runtime makes', async () => {
  await fc.assert(
    fc.asyncProperty(convolution, async ({ opType, groups, kernel, strides, dilations, padding }) => {
      const isAuto = padding === padding.toUpperCase();
      const pads = padding === 'even' ? [1, 1, 1, 1] : padding === 'uneven' ? [0, 1, 1, 0] : undefined;
      const attributes = [
        makeIntAttribute('group', groups),
        makeIntsAttribute('strides', strides),
        makeIntsAttribute('dilations', isAuto ? [1, 1] : dilations),
        ...(isAuto ? [textAttribute('auto_pad', padding)] : []),
        ...(pads === undefined ? [] : [makeIntsAttribute('pads', pads)]),
      ];
      const node = makeNode(opType, ['x', 'w'], ['y'], 'conv', attributes);
      const dims =
        opType === 'Conv' ? [8, SIZES.channels / groups, ...kernel] : [SIZES.channels, 8 / groups, ...kernel];
      const tensor = floatTensor(
        'w',
        dims,
        noise(
          dims.reduce((a, b) => a * b, 1),
          3,
        ),
      );
      const shape = [2, SIZES.channels, SIZES.height, SIZES.width];
      const values = noise(2 * SIZES.channels * SIZES.height * SIZES.width, 4);
      const model = modelOf([node], [tensor], { x: shape }, { y: ['n', 8, 'h', 'w'] });
      const [target] = await outputsOf(model, [{ x: floatFeed(shape, values) }]);
      const weights = readWeights(tensor, node);
      const window = windowOf(node, weights.kernel, shape, target!.shape);
      const total = placeCount(target!, window);
      const run = { input: { shape, values }, target: target!, kept: [0, 1, 2, 3, 4, 5, 6, 7], window };
      const places = Array.from({ length: total }, (_, place) => place);
      for (let group = 0; group < groups; group++) {
        const { x, y } = rowsOf({ ...run, places }, group, groups);
        y.forEach((expected, index) => {
          const [row, place] = [Math.floor(index / total), index % total];
          let made = 0;
          for (let k = 0; k < weights.columns; k++)
            made +=
              weights.values[(group * weights.rows + row) * weights.columns + k]! * x[k * total + place]!;
          expect(made).toBeCloseTo(expected, 4);
        });
      }
      expect(withWeights(tensor, node, weights.values)).toEqual(tensor);
    }),
    { numRuns: 60 },
  );
});

test.each([
  ['Gemm', 1],
  ['Gemm', 0],
  ['MatMul', 0],
])(
  'the rows of %s with transB %d times its weights are what ONNX Runtime makes',
  async (opType, transposed) => {
    const attributes = opType === 'Gemm' ? [makeIntAttribute('transB', transposed)] : [];
    const node = makeNode(opType, ['x', 'w'], ['y'], 'layer', attributes);
    const tensor = floatTensor('w', transposed === 1 ? [5, 3] : [3, 5], noise(15));
    const shape = opType === 'Gemm' ? [4, 3] : [2, 2, 3];
    const values = noise(12, 2);
    const model = modelOf([node], [tensor], { x: shape }, { y: [...shape.slice(0, -1), 5] });
    const [target] = await outputsOf(model, [{ x: floatFeed(shape, values) }]);
    const weights = readWeights(tensor, node);
    const run = {
      input: { shape, values },
      target: target!,
      kept: [1, 3],
      window: undefined,
      places: [3, 0],
    };
    const { x, y } = rowsOf(run, 0, 1);
    run.kept.forEach((channel, row) =>
      run.places.forEach((_, place) => {
        const made = [0, 1, 2].reduce(
          (sum, k) => sum + weights.values[channel * 3 + k]! * x[k * 2 + place]!,
          0,
        );
        expect(made).toBeCloseTo(y[row * 2 + place]!, 5);
      }),
    );
  },
);
