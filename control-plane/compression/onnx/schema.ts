// The ONNX protobuf schema as protobufjs reflection objects, loaded from the generated descriptor.
// Source: onnx.proto of the ONNX project; see NOTICE and generate-schema.ts.

import protobuf from 'protobufjs/light.js';
import descriptor from './onnx-schema.json' with { type: 'json' };

const root = protobuf.Root.fromJSON(descriptor);
root.resolveAll();

export type OnnxMessage =
  | 'AttributeProto'
  | 'FunctionProto'
  | 'GraphProto'
  | 'ModelProto'
  | 'NodeProto'
  | 'OperatorSetIdProto'
  | 'SparseTensorProto'
  | 'TensorProto'
  | 'TensorShapeProto'
  | 'TensorShapeProto.Dimension'
  | 'TrainingInfoProto'
  | 'TypeProto'
  | 'TypeProto.Tensor'
  | 'ValueInfoProto';

/** The reflection object of one message type. */
export function messageType(name: OnnxMessage): protobuf.Type {
  return root.lookupType(`onnx.${name}`);
}

/** Wire number of a field, named as in TypeScript (`rawData`). Throws when the schema has no such field. */
export function fieldNumber(message: OnnxMessage, field: string): number {
  return messageType(message).get(field) instanceof protobuf.Field
    ? (messageType(message).fields[field] as protobuf.Field).id
    : fail(`${message} has no field ${field}`);
}

function fail(message: string): never {
  throw new TypeError(message);
}
