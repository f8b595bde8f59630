import { expect, test } from 'vitest';
import { makeNode, makeValueInfo } from '#control-plane/compression/onnx/messages.ts';
import type { GraphProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { shortenNames } from '#control-plane/compression/shorten-names.ts';

function graphOf(nodes: GraphProto['node']): GraphProto {
  return {
    name: 'graph',
    node: nodes,
    initializer: [floatTensor('1', [1], Float32Array.of(1))],
    sparseInitializer: [],
    input: [makeValueInfo('image')],
    output: [makeValueInfo('scores')],
    valueInfo: [makeValueInfo('an activation with a long name')],
    quantizationAnnotation: [],
    metadataProps: [],
  };
}

test('only what flows between nodes gets a short name, and none that is taken', () => {
  const graph = graphOf([
    makeNode('Relu', ['image'], ['an activation with a long name'], 'first'),
    makeNode('Add', ['an activation with a long name', '1'], ['another one'], 'second'),
    makeNode('Add', ['another one', 'an activation with a long name'], ['scores'], 'third'),
  ]);
  shortenNames(graph);
  expect(graph.node.map(({ input, output, name }) => [name, [...input], [...output]])).toEqual([
    ['first', ['image'], ['2']],
    ['second', ['2', '1'], ['3']],
    ['third', ['3', '2'], ['scores']],
  ]);
  expect(graph.valueInfo).toEqual([]);
});

test('what a branch reads from outside keeps its name, and names within it are not taken', () => {
  const branch = {
    ...graphOf([makeNode('Relu', ['outer'], ['1'], 'within')]),
    initializer: [],
    output: [makeValueInfo('1')],
  };
  const choice = makeNode('If', ['image'], ['scores'], 'choice');
  choice.attribute = [
    { name: 'then_branch', type: 5, g: branch, floats: [], ints: [], strings: [], tensors: [], graphs: [], sparseTensors: [], typeProtos: [] },
  ]; // prettier-ignore
  const graph = graphOf([
    makeNode('Relu', ['image'], ['outer'], 'before'),
    makeNode('Relu', ['image'], ['beside'], 'beside'),
    choice,
  ]);
  graph.initializer = [];
  shortenNames(graph);
  expect(graph.node.map(({ output }) => [...output])).toEqual([['outer'], ['2'], ['scores']]);
});

test('quantizers lose their names and stay connected', () => {
  const graph = graphOf([
    makeNode('QuantizeLinear', ['image', '1'], ['image_QuantizeLinear_Output'], 'image_QuantizeLinear'),
    makeNode('DequantizeLinear', ['image_QuantizeLinear_Output', '1'], ['scores'], 'image_DequantizeLinear'),
  ]);
  shortenNames(graph);
  expect(graph.node.map(({ name, input, output }) => [name, [...input], [...output]])).toEqual([
    ['', ['image', '1'], ['2']],
    ['', ['2', '1'], ['scores']],
  ]);
});
