// Attributes of the kinds that the compression itself never writes.

import {
  AttributeProtoAttributeType as A,
  type AttributeProto,
  type GraphProto,
} from '#control-plane/compression/onnx/onnx-types.ts';
import { messageType } from '#control-plane/compression/onnx/schema.ts';

export const floatAttribute = (name: string, f: number): AttributeProto => make({ name, f, type: A.FLOAT });

export const textAttribute = (name: string, text: string): AttributeProto =>
  make({ name, s: Buffer.from(text), type: A.STRING });

export const graphAttribute = (name: string, g: GraphProto): AttributeProto =>
  make({ name, g, type: A.GRAPH });

function make(fields: Partial<AttributeProto>): AttributeProto {
  return messageType('AttributeProto').create(fields) as unknown as AttributeProto;
}
