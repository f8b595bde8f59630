// Collects the nodes that a step leaves in float and why, and tells of them once a reason.

import type { NodeProto } from './onnx/onnx-types.ts';

const NAMED_AT_MOST = 5;

export class LeftInFloat {
  readonly #nodes = new Map<string, string[]>();

  /** `reason` completes "stays in float: ". */
  add(node: NodeProto, reason: string): void {
    const key = `${node.opType ?? ''} stays in float: ${reason}`;
    const names = this.#nodes.get(key) ?? [];
    names.push(node.name === undefined || node.name === '' ? (node.output[0] ?? '') : node.name);
    this.#nodes.set(key, names);
  }

  tell(note: (text: string) => void): void {
    for (const [what, names] of this.#nodes) {
      const more = names.length > NAMED_AT_MOST ? ` and ${names.length - NAMED_AT_MOST} more` : '';
      note(`${what} (${names.slice(0, NAMED_AT_MOST).join(', ')}${more})`);
    }
  }
}
