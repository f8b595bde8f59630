import { expect, test } from 'vitest';
import { foldModel } from '#control-plane/compression/normalise/fold.ts';
import { spreadScalars } from '#control-plane/compression/normalise/spread-scalars.ts';
import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeNode, makeValueInfo } from '#control-plane/compression/onnx/messages.ts';
import type { ModelProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { modelOf, noise } from '../small-models.ts';
import { bytesOfOutputs } from './old-models.ts';

/** x -> Conv -> scale * c -> + shift -> y, with kernels of as many dimensions as `kernel` has. */
function scaledConv(kernel: readonly number[], scaleDims: readonly number[] = [1]): ModelProto {
  const size = kernel.reduce((product, dim) => product * dim, 1);
  const model = modelOf(
    [
      makeNode('Conv', ['x', 'w'], ['c'], 'conv'),
      makeNode('Mul', ['scale', 'c'], ['m'], 'mul'),
      makeNode('Add', ['m', 'shift'], ['y'], 'add'),
    ],
    [
      floatTensor('w', [3, 2, ...kernel], noise(6 * size)),
      floatTensor('scale', scaleDims, noise(scaleDims.reduce((a, b) => a * b, 1), 5)), // prettier-ignore
      floatTensor('shift', [], noise(1, 9)),
    ],
    { x: [1, 2, ...kernel.map(() => 5)] },
    {},
  );
  graphOf(model).output = [makeValueInfo('y')];
  return model;
}

test.each([[[3, 3]], [[3]], [[1, 1, 1]]])(
  'a scale and a shift behind a convolution by %j are spread, and then folded into it',
  async (kernel) => {
    const model = scaledConv(kernel);
    spreadScalars(graphOf(model));
    expect(await bytesOfOutputs(model)).toEqual(await bytesOfOutputs(scaledConv(kernel)));
    const folded = await foldModel(model, encodeModel(model));
    expect(graphOf(folded).node.map(({ opType }) => opType)).toEqual(['Conv']);
  },
);

test('what is no scalar stops the search; what more than one node reads stays', () => {
  const wide = scaledConv([3, 3], [3, 1, 1]);
  const shared = scaledConv([3, 3]);
  graphOf(shared).output.push(makeValueInfo('c'));
  for (const model of [wide, shared]) {
    const before = encodeModel(model);
    spreadScalars(graphOf(model));
    expect(encodeModel(model)).toEqual(before);
  }
});

test('a scalar with more dimensions than the output, which widens it, stays', () => {
  const model = scaledConv([3], [1, 1, 1, 1]);
  const before = encodeModel(model);
  spreadScalars(graphOf(model));
  expect(encodeModel(model)).toEqual(before);
});
