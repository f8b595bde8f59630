import { expect, test } from 'vitest';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { constantsToInitializers } from '#control-plane/compression/onnx/constants-to-initializers.ts';
import { indexGraph } from '#control-plane/compression/onnx/graph-index.ts';
import { makeNode } from '#control-plane/compression/onnx/messages.ts';
import type { GraphProto, NodeProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor, readFloats } from '#control-plane/compression/onnx/tensor-data.ts';
import { sortNodes } from '#control-plane/compression/onnx/topological-sort.ts';
import { dropUnusedInitializers } from '#control-plane/compression/onnx/unused-initializers.ts';
import { convModel, modelOf, noise } from '../small-models.ts';

/** An If node whose branch reads `captured` from the graph around it. */
function ifNode(captured: string): NodeProto {
  const branch = graphOf(modelOf([makeNode('Relu', [captured], ['inner'], 'inner')], [], {}, { inner: [1] }));
  const [attribute] =
    decodeModel(
      encodeModel(modelOf([makeNode('If', ['cond'], ['out'], 'if', [withGraph(branch)])], [], {}, {})),
    ).graph?.node[0]?.attribute ?? [];
  return makeNode('If', ['cond'], ['out'], 'if', attribute === undefined ? [] : [attribute]);
}

function withGraph(g: GraphProto) {
  return {
    name: 'then_branch', type: 5, g, floats: [], ints: [], strings: [], tensors: [], graphs: [], sparseTensors: [],
    typeProtos: [],
  }; // prettier-ignore
}

test('the index names who makes, reads and holds a tensor', () => {
  const graph = graphOf(convModel());
  const index = indexGraph(graph);
  expect(index.producers.get('r1')?.name).toBe('relu1');
  expect(index.consumers.get('r1')?.map(({ name }) => name)).toEqual(['conv2']);
  expect([...index.initializers.keys()]).toEqual(['w1', 'b1', 'w2']);
  expect([...index.inputs, ...index.outputs]).toEqual(['x', 'y']);
});

test('a tensor that only a subgraph reads counts as read and is kept', () => {
  const graph = graphOf(
    modelOf([ifNode('k')], [floatTensor('k', [1], noise(1))], { cond: [] }, { out: [1] }),
  );
  expect(indexGraph(graph).consumers.get('k')).toHaveLength(1);
  dropUnusedInitializers(graph);
  expect(graph.initializer.map(({ name }) => name)).toEqual(['k']);
});

test('nodes are put after what they read, subgraphs included', () => {
  const relu = makeNode('Relu', ['x'], ['k'], 'relu');
  const graph = graphOf(modelOf([ifNode('k'), relu], [], { cond: [], x: [1] }, { out: [1] }));
  sortNodes(graph);
  expect(graph.node.map(({ name }) => name)).toEqual(['relu', 'if']);
});

test('a circle is refused', () => {
  const nodes = [makeNode('Add', ['x', 'b'], ['a'], 'a'), makeNode('Relu', ['a'], ['b'], 'b')];
  const graph = graphOf(modelOf(nodes, [], { x: [1] }, { b: [1] }));
  expect(() => sortNodes(graph)).toThrow(expect.objectContaining({ code: 'onnx-malformed' }));
});

test('unused initializers go, with the inputs that declared them', () => {
  const graph = graphOf(convModel());
  graph.initializer.push(floatTensor('old', [1], noise(1)));
  graph.input.push({ name: 'old', metadataProps: [] });
  dropUnusedInitializers(graph);
  expect(graph.initializer.map(({ name }) => name)).toEqual(['w1', 'b1', 'w2']);
  expect(graph.input.map(({ name }) => name)).toEqual(['x']);
});

test('Constant nodes become initializers, unless they are graph outputs', () => {
  const constant = (name: string) => {
    const attribute = {
      ...withGraph(graphOf(convModel())),
      name: 'value',
      type: 4,
      t: floatTensor('', [2], noise(2)),
    };
    const { g: _, ...rest } = attribute;
    return makeNode('Constant', [], [name], name, [rest]);
  };
  const model = modelOf(
    [constant('k'), constant('y'), makeNode('Relu', ['k'], ['z'], 'relu')],
    [],
    {},
    { y: [2], z: [2] },
  );
  constantsToInitializers(model);
  expect(graphOf(model).node.map(({ name }) => name)).toEqual(['y', 'relu']);
  const [tensor] = graphOf(model).initializer;
  expect(tensor?.name).toBe('k');
  expect(tensor && readFloats(tensor)).toEqual(noise(2));
});
