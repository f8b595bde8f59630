import { expect, test } from 'vitest';
import { latencyTrials } from '#control-plane/compression/mixed/latency-trials.ts';
import { layersOf } from '#control-plane/compression/mixed/layers.ts';
import { graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeIntAttribute, makeNode } from '#control-plane/compression/onnx/messages.ts';
import { floatTensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { modelOf, noise } from '../small-models.ts';

const graph = graphOf(
  modelOf(
    [
      makeNode('Conv', ['x', 'w1'], ['c1'], 'conv1'),
      makeNode('Relu', ['c1'], ['r1'], 'relu1'),
      makeNode('Conv', ['r1', 'wd'], ['d'], 'conv10', [makeIntAttribute('group', 4)]),
      makeNode('Erf', ['d'], ['e'], 'erf'),
      makeNode('Add', ['e', 'r1'], ['a'], 'add'),
      makeNode('Conv', ['a', 'w2'], ['y'], 'conv2'),
    ],
    [
      floatTensor('w1', [4, 1, 3, 3], noise(36)),
      floatTensor('wd', [4, 1, 3, 3], noise(36)),
      floatTensor('w2', [2, 4, 1, 1], noise(8)),
    ],
    { x: [1, 1, 8, 8] },
    { y: [1, 2, 2, 2] },
  ),
);
const layers = layersOf(graph);
const time = (name: string, timeUs: number) => ({ name, opType: '', timeUs });
const trialsOf = (float: [string, number][], quantized: [string, number][]) =>
  latencyTrials(graph, layers, {
    float: float.map(([name, us]) => time(name, us)),
    quantized: quantized.map(([name, us]) => time(name, us)),
  });

test('the more time a profile shows to be saved, the sooner it is tried', () => {
  const trials = trialsOf(
    [['conv1', 10], ['d_nchwc', 10], ['add', 10], ['conv2', 10]],
    [['conv1_quant', 10], ['conv10_token_7', 40], ['add_quant', 15], ['conv2_token_1', 5]],
  ); // prettier-ignore
  expect(trials.map(({ what }) => what)).toEqual([
    'the layer of conv10',
    'every depthwise convolution',
    'every operator without weights',
    'every Add',
  ]);
  expect(trials[0]?.nodes).toEqual(['conv10', 'add']);
  expect(trials[1]?.nodes).toEqual(['conv10']);
  expect(trials[2]?.nodes).toEqual(['relu1', 'add']);
});

test('what a node that is float in any case loses counts for its layer', () => {
  const trials = trialsOf([['erf', 5]], [['erf', 50]]);
  expect(trials.map(({ what }) => what)).toContain('the layer of conv10');
});

test('what clearly pays in 8 bits is not tried, and names that begin alike are told apart', () => {
  const trials = trialsOf(
    [['conv1', 50], ['conv10', 10]],
    [['conv1_quant', 10], ['conv10_quant', 50], ['x_QuantizeLinear', 1]],
  ); // prettier-ignore
  const layerTrials = trials.filter(({ what }) => what.startsWith('the layer of'));
  expect(layerTrials.map(({ what }) => what)).toEqual(['the layer of conv10']);
});

test('layers that are slower in 8 bits are tried together, all and the slowest of them, then one by one', () => {
  const trials = trialsOf(
    [['conv1', 10], ['conv10', 10], ['conv2', 10]],
    [['conv1', 20], ['conv10', 40], ['conv2', 12]],
  ); // prettier-ignore
  expect(trials.filter(({ what }) => what.includes('layer')).map(({ what, nodes }) => [what, nodes])).toEqual(
    [
      ['the 3 layers that a profile shows slowest in 8 bits', ['conv10', 'add', 'conv1', 'relu1', 'conv2']],
      ['the 2 layers that a profile shows slowest in 8 bits', ['conv10', 'add', 'conv1', 'relu1']],
      ['the layer of conv10', ['conv10', 'add']],
      ['the layer of conv1', ['conv1', 'relu1']],
      ['the layer of conv2', ['conv2']],
    ],
  );
});
