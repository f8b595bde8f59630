// The operators that ONNX Runtime adds to ONNX's own.

import type { ModelProto, NodeProto } from '../onnx/onnx-types.ts';

const MICROSOFT_DOMAIN = 'com.microsoft';

/** The same node with ONNX Runtime's operator of its type. */
export function inMicrosoftDomain(node: NodeProto): NodeProto {
  node.domain = MICROSOFT_DOMAIN;
  return node;
}

/** Lets the model use these operators. */
export function importMicrosoftDomain(model: ModelProto): void {
  if (model.opsetImport.some(({ domain }) => domain === MICROSOFT_DOMAIN)) return;
  model.opsetImport.push({ domain: MICROSOFT_DOMAIN, version: 1 });
}
