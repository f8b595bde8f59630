import { expect, test } from 'vitest';
import { nameNodes } from '#control-plane/compression/mixed/node-names.ts';
import { graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeNode } from '#control-plane/compression/onnx/messages.ts';
import { modelOf } from '../small-models.ts';

const chain = (...names: string[]) =>
  modelOf(
    names.map((name, index) => makeNode('Relu', [`t${index}`], [`t${index + 1}`], name)),
    [],
    { t0: [1] },
    { [`t${names.length}`]: [1] },
  );

test('nameless nodes and second bearers of a name get one that no other node has', () => {
  const model = chain('', 'a', 'a', 'Relu_0', '');
  nameNodes(model);
  const names = graphOf(model).node.map(({ name }) => name);
  expect(names).toEqual(['Relu_0_1', 'a', 'Relu_2', 'Relu_0', 'Relu_4']);
});

test('a model whose nodes all have names of their own stays as it is', () => {
  const model = chain('a', 'b');
  nameNodes(model);
  expect(model).toEqual(chain('a', 'b'));
});
