// Hostile ONNX files that an inspection must refuse, by name: how each is made. Field numbers are those of onnx.proto.

import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { makeNode, makeTensor, makeValueInfo } from '#control-plane/compression/onnx/messages.ts';
import {
  TensorProtoDataType as T,
  type AttributeProto,
  type ModelProto,
  type TensorProto,
} from '#control-plane/compression/onnx/onnx-types.ts';
import { convModel, FLOAT, modelOf } from '#test/unit/control-plane/compression/small-models.ts';
import { bytesField, repeatBytes, varint, varintField } from './wire-bytes.ts';

const EMPTY = new Uint8Array(0);

/** A small valid model to whose end raw fields of ModelProto are put. */
const withFields = (...fields: Uint8Array[]): Uint8Array =>
  Buffer.concat([encodeModel(convModel()), ...fields]);

/** IR 8, operator set 17, and one graph with exactly these bytes. */
const withGraph = (...fields: Uint8Array[]): Uint8Array =>
  Buffer.concat([varintField(1, 8), bytesField(7, Buffer.concat(fields)), bytesField(8, varintField(2, 17))]);

/** The small model, changed. */
function changed(change: (model: ModelProto) => void): Uint8Array {
  const model = convModel();
  change(model);
  return encodeModel(model);
}

const withTensor = (tensor: TensorProto): Uint8Array =>
  changed((model) => void graphOf(model).initializer.push(tensor));

const external = (entries: Readonly<Record<string, string>>): Uint8Array => {
  const { rawData: _, ...tensor } = makeTensor('w', FLOAT, [4], EMPTY);
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  const model = modelOf([makeNode('Identity', ['w'], ['y'], 'i')], [], {}, { y: [4] });
  graphOf(model).initializer.push({ ...tensor, dataLocation: 1, externalData });
  return encodeModel(model);
};

export function emptyAttribute(name: string): AttributeProto {
  return { name, floats: [], ints: [], strings: [], tensors: [], graphs: [], sparseTensors: [], typeProtos: [] }; // prettier-ignore
}

/** If nodes with graphs within graphs. */
function nestedGraphs(depth: number): Uint8Array {
  let graph: Uint8Array = Buffer.concat([bytesField(1, relu('x', 'deepest'))]);
  for (let level = 0; level < depth; level++) {
    const attribute = Buffer.concat([bytesField(1, 'then_branch'), bytesField(6, graph)]);
    graph = bytesField(1, Buffer.concat([bytesField(4, 'If'), bytesField(5, attribute)]));
  }
  return withGraph(graph);
}

const relu = (input: string, output: string): Uint8Array =>
  Buffer.concat([bytesField(1, input), bytesField(2, output), bytesField(4, 'Relu')]);

/** A FunctionProto whose body calls others of its own domain. */
function functionOf(name: string, calls: readonly string[]): Uint8Array {
  const nodes = calls.map((opType, index) =>
    bytesField(
      7,
      Buffer.concat([bytesField(2, `v${index}`), bytesField(4, opType), bytesField(7, 'com.microsoft')]),
    ),
  );
  const parts = [bytesField(1, name), bytesField(10, 'com.microsoft'), ...nodes];
  return bytesField(25, Buffer.concat(parts));
}

/** Each of ten functions calls the one before it ten times: 10^10 nodes once they are put in place. */
const laughs = (): Uint8Array =>
  withFields(
    functionOf('F0', ['Gelu']),
    ...Array.from({ length: 10 }, (_, level) =>
      functionOf(`F${level + 1}`, Array<string>(10).fill(`F${level}`)),
    ),
  );

export const ONNX_FILES: Readonly<Record<string, () => Uint8Array>> = {
  'terabyte-declared': () => withTensor(makeTensor('huge', T.UINT8, [2 ** 20, 2 ** 20], EMPTY)),
  'dims-overflow': () => withTensor(makeTensor('huge', FLOAT, [2 ** 40, 2 ** 40], new Uint8Array(16))),
  'dims-wrap-to-zero': () => withTensor(makeTensor('huge', T.UINT8, [2 ** 32, 2 ** 32, 0], EMPTY)),
  'dims-negative': () => withTensor(makeTensor('huge', T.UINT8, [-4, -4], new Uint8Array(16))),
  'raw-data-short': () => withTensor(makeTensor('short', FLOAT, [4, 4], new Uint8Array(60))),
  'rank-bomb': () => withTensor(makeTensor('deep', T.UINT8, Array<number>(100_000).fill(1), new Uint8Array(1))),
  'int64-list-bomb': () =>
    withGraph(bytesField(5, Buffer.concat([varintField(1, 12_000_000), varintField(2, T.INT64), bytesField(7, new Uint8Array(12_000_000)), bytesField(8, 'list')]))), // prettier-ignore
  'attribute-list-bomb': () =>
    withGraph(bytesField(1, Buffer.concat([bytesField(4, 'Relu'), bytesField(5, bytesField(8, new Uint8Array(12_000_000)))]))), // prettier-ignore
  'field-bomb': () => withGraph(repeatBytes(bytesField(10, EMPTY), 10_500_000)),
  'node-bomb': () => withGraph(repeatBytes(bytesField(1, bytesField(4, 'Relu')), 1_000_000)),
  'empty-input-bomb': () => withGraph(bytesField(1, Buffer.concat([bytesField(4, 'Sum'), repeatBytes(bytesField(1, EMPTY), 10_500_000)]))), // prettier-ignore
  'value-bomb': () => withGraph(repeatBytes(bytesField(11, bytesField(1, 'x')), 150_000)),
  'name-of-a-megabyte': () =>
    changed((model) => void graphOf(model).node.push(makeNode('Relu', ['x'], ['z'], 'n'), makeNode('R'.repeat(2 ** 20), ['x'], ['q'], 'n'))), // prettier-ignore
  'graphs-nested-9': () => nestedGraphs(9),
  'graphs-nested-2000': () => nestedGraphs(2_000),
  'circle-of-two': () =>
    changed((model) => void graphOf(model).node.push(makeNode('Relu', ['b'], ['a'], 'first'), makeNode('Relu', ['a'], ['b'], 'second'))), // prettier-ignore
  'circle-of-one': () => changed((model) => void graphOf(model).node.push(makeNode('Relu', ['a'], ['a'], 'self'))), // prettier-ignore
  'two-makers': () => changed((model) => void graphOf(model).node.push(makeNode('Relu', ['x'], ['y'], 'again'))),
  'initializer-twice': () => withTensor(makeTensor('w1', FLOAT, [1], new Uint8Array(4))),
  'input-twice': () =>
    changed((model) => void graphOf(model).input.push(makeValueInfo('x', { elemType: FLOAT, shape: [1] }))),
  'input-made-by-node': () =>
    changed((model) => void graphOf(model).node.push(makeNode('Relu', ['y'], ['x'], 'back'))),
  'graph-twice': () => withFields(bytesField(7, EMPTY)),
  'attribute-merged': () =>
    withGraph(bytesField(1, Buffer.concat([bytesField(4, 'Constant'), bytesField(5, Buffer.concat([bytesField(1, 'value'), smallTensor(), smallTensor()]))]))), // prettier-ignore
  'function-calls-itself': () => withFields(functionOf('Own', ['Own'])),
  'functions-call-each-other': () => withFields(functionOf('Ping', ['Pong']), functionOf('Pong', ['Ping'])),
  'functions-multiply': laughs,
  'opset-of-a-billion': () => encodeModel(convModel(1_000_000_000)),
  'opset-of-a-domain': () =>
    changed((model) => void model.opsetImport.push({ domain: 'com.microsoft', version: 1_000_000_000 })),
  'opset-in-two-versions': () => changed((model) => void model.opsetImport.push({ domain: 'ai.onnx', version: 9 })), // prettier-ignore
  'domain-unknown': () => changed((model) => void model.opsetImport.push({ domain: 'evil.example', version: 1 })),
  'packed-varints-cut-off': () =>
    withGraph(bytesField(5, Buffer.concat([bytesField(1, Uint8Array.of(0x80)), varintField(2, 2)]))),
  'varint-of-eleven-bytes': () => withFields(Buffer.concat([varint(1 << 3), new Uint8Array(10).fill(0xff), varint(1)])),
  'length-past-the-end': () => withFields(Buffer.concat([varint((7 << 3) | 2), varint(2 ** 31), varint(1)])),
  'length-of-2-to-63': () => withFields(Buffer.concat([varint((7 << 3) | 2), varint(2n ** 63n), varint(1)])),
  'wire-type-7': () => withFields(Uint8Array.of((20 << 3) & 0x7f | 7, 1)),
  'group': () => withFields(Uint8Array.of((9 << 3) | 3, (9 << 3) | 4)),
  'field-number-zero': () => withFields(Uint8Array.of(2, 0)),
  'name-not-utf8': () => withGraph(bytesField(1, Buffer.concat([bytesField(4, Uint8Array.of(0xff, 0xfe))]))),
  'training-graph': () => withFields(bytesField(20, EMPTY)),
  'segmented-tensor': () => withGraph(bytesField(5, Buffer.concat([varintField(2, 1), bytesField(3, EMPTY)]))),
  'external-parent-folder': () => external({ location: '../secret' }),
  'external-absolute': () => external({ location: '/etc/passwd' }),
  'external-symbolic-link': () => external({ location: 'link' }),
  'external-hard-link': () => external({ location: 'hard' }),
  'external-pipe': () => external({ location: 'pipe' }),
  'external-device': () => external({ location: 'zero' }),
  'external-offset-past-end': () => external({ location: 'data', offset: '9007199254740000' }),
  'external-offset-negative': () => external({ location: 'data', offset: '-16' }),
  'external-length-past-end': () => external({ location: 'data', offset: '49', length: '16' }),
}; // prettier-ignore

/** An attribute's field `t` with one float. */
function smallTensor(): Uint8Array {
  return bytesField(
    5,
    Buffer.concat([varintField(1, 1), varintField(2, 1), bytesField(9, new Uint8Array(4))]),
  );
}
