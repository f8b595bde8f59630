// Names for nodes that have none, so that each can be told apart and left in float by name.

import { graphOf } from '../onnx/codec.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';

/**
 * Names, in place, each node of the main graph that has no name or that of a node before it. Names that are unique
 * stay; new ones are the same each time.
 */
export function nameNodes(model: ModelProto): void {
  const { node: nodes } = graphOf(model);
  const given = new Set(nodes.map(({ name = '' }) => name));
  const seen = new Set(['']);
  for (const [index, node] of nodes.entries()) {
    if (seen.has(node.name ?? '')) node.name = freeName(`${node.opType ?? 'node'}_${index}`, given);
    seen.add(node.name ?? '');
  }
}

function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let suffix = 1; taken.has(name); suffix++) name = `${wanted}_${suffix}`;
  taken.add(name);
  return name;
}
