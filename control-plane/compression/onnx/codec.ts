// Reads and writes whole ONNX models. Invariant: decode then encode gives the same bytes for a file in
// canonical field order, unknown fields included; tensor bytes are views on the input, never copied.

import protobuf from 'protobufjs/light.js';
import { HoldfastError } from '#protocol/errors.ts';
import type { GraphProto, ModelProto } from './onnx-types.ts';
import { messageType } from './schema.ts';

/** Decodes a model. Throws `onnx-malformed`. Memory grows with the file: inspect an untrusted file first. */
export function decodeModel(bytes: Uint8Array): ModelProto {
  const reader = protobuf.Reader.create(bytes);
  reader.discardUnknown = false;
  let model: ModelProto;
  try {
    model = messageType('ModelProto').decode(reader) as unknown as ModelProto;
  } catch (cause) {
    throw new HoldfastError('onnx-malformed', 'the file is not a whole ONNX model', {
      hint: 'export the model again and compare its sha256 with what was sent',
      cause,
    });
  }
  if (!model.graph) {
    throw new HoldfastError('onnx-malformed', 'the ONNX file holds no graph', {
      hint: 'export the model again',
    });
  }
  return model;
}

/** Encodes a model, under 2 GiB. */
export function encodeModel(model: ModelProto): Uint8Array {
  return messageType('ModelProto').encode(model).finish();
}

/** The model's main graph; `decodeModel` made sure that there is one. */
export function graphOf(model: ModelProto): GraphProto {
  if (!model.graph) throw new HoldfastError('onnx-malformed', 'the ONNX model holds no graph');
  return model.graph;
}
