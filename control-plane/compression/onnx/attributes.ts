// Reads the attributes of a node.

import type { AttributeProto, NodeProto } from './onnx-types.ts';

export function attributeOf(node: NodeProto, name: string): AttributeProto | undefined {
  return node.attribute.find((attribute) => attribute.name === name);
}
