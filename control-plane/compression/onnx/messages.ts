// Makes ONNX messages in which every repeated field is present, and reads their 64-bit integers.

import { HoldfastError } from '#protocol/errors.ts';
import type {
  AttributeProto,
  GraphProto,
  Int64,
  ModelProto,
  NodeProto,
  OperatorSetIdProto,
  TensorProto,
  ValueInfoProto,
} from './onnx-types.ts';
import { AttributeProtoAttributeType } from './onnx-types.ts';
import { messageType } from './schema.ts';

/** The messages that this module makes, by name. */
interface Made {
  AttributeProto: AttributeProto;
  GraphProto: GraphProto;
  ModelProto: ModelProto;
  NodeProto: NodeProto;
  OperatorSetIdProto: OperatorSetIdProto;
  TensorProto: TensorProto;
  ValueInfoProto: ValueInfoProto;
}

/** A 64-bit integer as a number. Throws `onnx-malformed` past 2^53. */
export function toNumber(value: Int64 | undefined): number {
  const number = value === undefined ? 0 : typeof value === 'number' ? value : value.toNumber();
  if (!Number.isSafeInteger(number)) {
    throw new HoldfastError('onnx-malformed', `the integer ${number} in the ONNX file is out of range`);
  }
  return number;
}

export function makeModel(fields: {
  irVersion: number;
  opset: number;
  producerName: string;
  graph: GraphProto;
}): ModelProto {
  const { irVersion, opset, producerName, graph } = fields;
  const opsetImport = [create('OperatorSetIdProto', { domain: '', version: opset })];
  return create('ModelProto', { irVersion, producerName, opsetImport, graph });
}

export function makeGraph(fields: {
  name: string;
  node: NodeProto[];
  initializer: TensorProto[];
  input: ValueInfoProto[];
  output: ValueInfoProto[];
}): GraphProto {
  return create('GraphProto', fields);
}

export function makeNode(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  name: string,
  attribute: readonly AttributeProto[] = [],
): NodeProto {
  return create('NodeProto', {
    opType,
    input: [...input],
    output: [...output],
    name,
    attribute: [...attribute],
  });
}

export function makeIntAttribute(name: string, value: number): AttributeProto {
  return create('AttributeProto', { name, i: value, type: AttributeProtoAttributeType.INT });
}

export function makeFloatAttribute(name: string, value: number): AttributeProto {
  return create('AttributeProto', { name, f: value, type: AttributeProtoAttributeType.FLOAT });
}

export function makeIntsAttribute(name: string, values: readonly number[]): AttributeProto {
  return create('AttributeProto', { name, ints: [...values], type: AttributeProtoAttributeType.INTS });
}

export function makeStringAttribute(name: string, value: string): AttributeProto {
  const s = new TextEncoder().encode(value);
  return create('AttributeProto', { name, s, type: AttributeProtoAttributeType.STRING });
}

/** A tensor of raw little-endian data. */
export function makeTensor(
  name: string,
  dataType: number,
  dims: readonly number[],
  rawData: Uint8Array,
): TensorProto {
  return create('TensorProto', { name, dataType, dims: [...dims], rawData });
}

/** A value of a name alone, whose type ONNX Runtime infers; or of a tensor type with named or fixed dimensions. */
export function makeValueInfo(
  name: string,
  type?: { elemType: number; shape: readonly (number | string)[] },
): ValueInfoProto {
  if (type === undefined) return create('ValueInfoProto', { name });
  const dim = type.shape.map((d) => (typeof d === 'number' ? { dimValue: d } : { dimParam: d }));
  return create('ValueInfoProto', {
    name,
    type: { tensorType: { elemType: type.elemType, shape: { dim } } },
  });
}

function create<K extends keyof Made>(message: K, fields: object): Made[K] {
  return messageType(message).create(fields) as unknown as Made[K];
}
