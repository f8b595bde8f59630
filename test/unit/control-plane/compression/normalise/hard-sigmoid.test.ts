import { expect, test } from 'vitest';
import { writeHardSigmoids } from '#control-plane/compression/normalise/hard-sigmoid.ts';
import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeNode, makeValueInfo } from '#control-plane/compression/onnx/messages.ts';
import type { ModelProto, NodeProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { openSession, runModel } from '#control-plane/compression/ort-session.ts';
import { floatFeed } from '#control-plane/compression/tensor-feed.ts';
import { modelOf } from '../small-models.ts';

const XS = Float32Array.from({ length: 41 }, (_, index) => (index - 20) / 4);

const CONSTANTS = { zero: 0, three: 3, four: 4, six: 6, sixth: 1 / 6 };

/** A model of `nodes` from x to y; y can be asked for beside inner tensors. */
function modelWith(nodes: NodeProto[], outputs: readonly string[] = ['y']): ModelProto {
  const constants = Object.entries(CONSTANTS).map(([name, value]) =>
    floatTensor(name, name === 'six' ? [1] : [], Float32Array.of(value)),
  );
  const model = modelOf(nodes, constants, { x: [XS.length] }, {});
  graphOf(model).output = outputs.map((name) => makeValueInfo(name));
  return model;
}

const plus = (value = 'three') => makeNode('Add', ['x', value], ['a'], 'add');
const clip = (max = 'six') => makeNode('Clip', ['a', 'zero', max], ['c'], 'clip');
const swish = [makeNode('Mul', ['x', 'c'], ['m'], 'mul'), makeNode('Div', ['m', 'six'], ['y'], 'div')];

async function outputOf(model: ModelProto): Promise<Float32Array> {
  await using opened = await openSession(encodeModel(model), { optimise: false });
  const { y } = await runModel(opened.session, { x: floatFeed([XS.length], XS) }, ['y']);
  return (y as { data: Float32Array }).data;
}

const opTypes = (model: ModelProto) => graphOf(model).node.map(({ opType }) => opType);

test.each([
  ['a hard swish', [plus(), clip(), ...swish], ['HardSigmoid', 'Mul']],
  [
    'a hard swish that multiplies by a sixth, constants first',
    [
      makeNode('Add', ['three', 'x'], ['a'], 'add'),
      clip(),
      makeNode('Mul', ['c', 'x'], ['m'], 'mul'),
      makeNode('Mul', ['sixth', 'm'], ['y'], 'sixth'),
    ],
    ['HardSigmoid', 'Mul'],
  ],
  ['a hard sigmoid', [plus(), clip(), makeNode('Div', ['c', 'six'], ['y'], 'div')], ['HardSigmoid']],
  [
    'a hard sigmoid and the factor behind it',
    [plus(), clip(), makeNode('Div', ['c', 'six'], ['d'], 'div'), makeNode('Mul', ['d', 'x'], ['y'], 'mul')],
    ['HardSigmoid', 'Mul'],
  ],
])('%s is written as its operator', async (_, nodes, expected) => {
  const [before, after] = [modelWith(structuredClone(nodes)), modelWith(structuredClone(nodes))];
  writeHardSigmoids(graphOf(after));
  expect(opTypes(after)).toEqual(expected);
  const [was, is] = [await outputOf(before), await outputOf(after)];
  is.forEach((value, index) => expect(value).toBeCloseTo(was[index] ?? Number.NaN, 6));
});

test.each([
  ['another summand', [plus('four'), clip(), ...swish], ['y']],
  ['another limit', [plus(), clip('four'), ...swish], ['y']],
  ['no lower limit', [plus(), makeNode('Clip', ['a', '', 'six'], ['c'], 'clip'), ...swish], ['y']],
  [
    'another divisor',
    [plus(), clip(), makeNode('Mul', ['x', 'c'], ['m'], 'mul'), makeNode('Div', ['m', 'four'], ['y'], 'div')],
    ['y'],
  ],
  [
    'a sixth that is divided, not divides',
    [plus(), clip(), makeNode('Div', ['six', 'c'], ['y'], 'div')],
    ['y'],
  ],
  [
    'another factor',
    [plus(), clip(), makeNode('Mul', ['a', 'c'], ['m'], 'mul'), makeNode('Div', ['m', 'six'], ['y'], 'div')],
    ['y'],
  ],
  ['an inner tensor that is an output', [plus(), clip(), ...swish], ['y', 'c']],
  [
    'an inner tensor that another node reads',
    [plus(), clip(), ...swish, makeNode('Neg', ['m'], ['n'], 'neg')],
    ['y', 'n'],
  ],
])('%s is left as it is', (_, nodes, outputs) => {
  const model = modelWith(structuredClone(nodes), outputs);
  writeHardSigmoids(graphOf(model));
  expect(opTypes(model)).toEqual(nodes.map(({ opType }) => opType));
});
