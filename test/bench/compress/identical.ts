// Whether two models are the same to the bit: nodes in order with their attributes, initializers with their data.

import { decodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { nodeFacts, tensorFacts } from '#test/unit/control-plane/compression/model-facts.ts';

/** The first difference in words, or null. */
export function differenceBetween(ours: Uint8Array, theirs: Uint8Array): string | null {
  const [a, b] = [graphOf(decodeModel(ours)), graphOf(decodeModel(theirs))];
  return (
    firstDifference('node', a.node.map(nodeFacts), b.node.map(nodeFacts)) ??
    firstDifference('initializer', a.initializer.map(tensorFacts), b.initializer.map(tensorFacts))
  );
}

function firstDifference(
  what: string,
  ours: readonly { readonly name?: string | null | undefined }[],
  theirs: readonly { readonly name?: string | null | undefined }[],
): string | null {
  const at = ours.findIndex((one, index) => JSON.stringify(one) !== JSON.stringify(theirs[index]));
  if (at >= 0)
    return `${what} ${at} is ${ours[at]?.name ?? '?'}, the reference's ${theirs[at]?.name ?? 'none'}, or they differ inside`;
  return ours.length === theirs.length ? null : `${ours.length} of the reference's ${theirs.length} ${what}s`;
}
