// Finds hard sigmoids and hard swishes that exporters wrote in single steps, and writes the operator instead: one
// pass over the tensor for three, and fewer ranges to lose precision in. A hard swish becomes x times its hard sigmoid,
// which every runtime and operator set has. Source: Howard et al., Searching for MobileNetV3 (2019), section 5.2.

import { attributeOf } from '../onnx/attributes.ts';
import { indexGraph, type GraphIndex } from '../onnx/graph-index.ts';
import { makeFloatAttribute, makeNode } from '../onnx/messages.ts';
import type { GraphProto, NodeProto } from '../onnx/onnx-types.ts';
import { onlyReader, scalarOf } from './scalar-nodes.ts';

/** Edits the graph in place: min(max(x + 3, 0), 6) / 6, with or without a factor x in between. */
export function writeHardSigmoids(graph: GraphProto): void {
  const index = indexGraph(graph);
  const replaced = new Map<NodeProto, NodeProto[]>();
  for (const clip of graph.node) for (const [node, by] of matchAt(clip, index)) replaced.set(node, by);
  graph.node = graph.node.flatMap((node) => replaced.get(node) ?? [node]);
}

/** What to put in the place of each node of the pattern around `clip`; nothing where there is none. */
function matchAt(clip: NodeProto, index: GraphIndex): (readonly [NodeProto, NodeProto[]])[] {
  const add = index.producers.get(clip.input[0] ?? '');
  const x = add === undefined ? undefined : otherOperand(add, 'Add', 3, index);
  if (add === undefined || x === undefined || !isClipToSix(clip, index) || onlyReader(add, index) !== clip)
    return [];
  const next = onlyReader(clip, index);
  if (next === undefined) return [];
  if (isSixth(next, index)) return [[add, []], [clip, []], [next, [hardSigmoid(x, next)]]]; // prettier-ignore
  const last = onlyReader(next, index);
  const isProduct = next.opType === 'Mul' && next.input.includes(x);
  if (!isProduct || last === undefined || !isSixth(last, index)) return [];
  const gate = hardSigmoid(x, clip);
  const product = { ...next, input: [x, ...gate.output], output: [...last.output] };
  return [[add, []], [clip, []], [next, []], [last, [gate, product]]]; // prettier-ignore
}

function hardSigmoid(x: string, { name = '', output }: NodeProto): NodeProto {
  const attributes = [makeFloatAttribute('alpha', 1 / 6), makeFloatAttribute('beta', 0.5)];
  return makeNode('HardSigmoid', [x], output, name, attributes);
}

function isClipToSix(clip: NodeProto, index: GraphIndex): boolean {
  if (clip.opType !== 'Clip') return false;
  const [, min = '', max = ''] = clip.input;
  const low = attributeOf(clip, 'min')?.f ?? scalarOf(min, index);
  const high = attributeOf(clip, 'max')?.f ?? scalarOf(max, index);
  return low === 0 && high === 6;
}

function isSixth(node: NodeProto, index: GraphIndex): boolean {
  if (node.opType === 'Div') return scalarOf(node.input[1] ?? '', index) === 6;
  return otherOperand(node, 'Mul', Math.fround(1 / 6), index) !== undefined;
}

/** The operand of a commutative node whose other one is the constant `value`. */
function otherOperand(
  { opType, input: [first = '', second = ''] }: NodeProto,
  wanted: 'Add' | 'Mul',
  value: number,
  index: GraphIndex,
): string | undefined {
  if (opType !== wanted) return undefined;
  if (scalarOf(second, index) === value) return first;
  return scalarOf(first, index) === value ? second : undefined;
}
