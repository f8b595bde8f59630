import { expect, test } from 'vitest';
import { joinNeighbours } from '#control-plane/compression/mixed/layer-harm.ts';
import { layersOf } from '#control-plane/compression/mixed/layers.ts';
import { graphOf } from '#control-plane/compression/onnx/codec.ts';
import {
  makeGraph,
  makeIntAttribute,
  makeNode,
  makeValueInfo,
} from '#control-plane/compression/onnx/messages.ts';
import { modelOf } from '../small-models.ts';

const graph = graphOf(
  modelOf(
    [
      makeNode('Sigmoid', ['x'], ['s'], 'before'),
      makeNode('Conv', ['s', 'w1'], ['c1'], 'conv1'),
      makeNode('Relu', ['c1'], ['r1'], 'relu1'),
      makeNode('Conv', ['r1', 'w2'], ['c2'], 'conv2'),
      makeNode('Erf', ['c2'], ['e2'], 'never'),
      makeNode('Add', ['e2', 'r1'], ['a'], 'residual'),
      makeNode('Conv', ['a', 'w3'], ['y'], 'conv3'),
    ],
    [],
    { x: [1] },
    { y: [1] },
  ),
);

test('an operator with weights takes along what follows it, through nodes that stay in float', () => {
  expect(layersOf(graph)).toEqual([
    { name: 'before', opType: 'Sigmoid', nodes: ['before'], always: [] },
    { name: 'conv1', opType: 'Conv', nodes: ['conv1', 'relu1'], always: [] },
    { name: 'conv2', opType: 'Conv', nodes: ['conv2', 'residual'], always: ['never'] },
    { name: 'conv3', opType: 'Conv', nodes: ['conv3'], always: [] },
  ]);
});

test('what a branch reads from outside counts for the layer of what follows it', () => {
  const branch = makeGraph({
    name: 'then',
    node: [makeNode('Erf', ['c1'], ['t'], 'inner')],
    initializer: [],
    input: [],
    output: [makeValueInfo('t')],
  });
  const choice = makeNode('If', ['flag'], ['chosen'], 'choice');
  choice.attribute = [{ ...makeIntAttribute('then_branch', 0), g: branch }];
  const branching = modelOf(
    [makeNode('Conv', ['x', 'w1'], ['c1'], 'conv1'), choice, makeNode('Sigmoid', ['chosen'], ['y'], 'after')],
    [],
    { x: [1], flag: [1] },
    { y: [1] },
  );
  expect(layersOf(graphOf(branching)).map(({ nodes }) => nodes)).toEqual([['conv1', 'after']]);
});

test('operators that are not to be quantized are in no layer', () => {
  const layers = layersOf(graph, new Set(['Conv']));
  expect(layers.map(({ nodes }) => nodes)).toEqual([['conv1'], ['conv2'], ['conv3']]);
});

test('more layers than may be tried are joined with their neighbours, and none is lost', () => {
  const layers = Array.from({ length: 7 }, (_, at) => ({
    name: `l${at}`,
    opType: 'Conv',
    nodes: [`n${at}`],
    always: [],
  }));
  const joined = joinNeighbours(layers, 3);
  expect(joined.map(({ nodes }) => nodes)).toEqual([['n0', 'n1', 'n2'], ['n3', 'n4', 'n5'], ['n6']]);
  expect(joinNeighbours(layers, 7)).toEqual(layers);
  expect(joinNeighbours([], 7)).toEqual([]);
});
