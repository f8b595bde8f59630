// Walks a graph once, in the order of its nodes, and finds which channels can only go together: dependency groups.
// What no rule knows, a subgraph or another process reads stays whole. Source: DepGraph (Fang et al., CVPR 2023).

import { capturedNames, indexGraph } from '../../onnx/graph-index.ts';
import type { GraphProto, NodeProto } from '../../onnx/onnx-types.ts';
import { ChannelMap } from './channel-map.ts';
import { broadcast, perChannel, pooling, unary } from './elementwise-rules.ts';
import { conv, convTranspose, gemm, matMul } from './layer-rules.ts';
import {
  concat,
  expand,
  gather,
  pad,
  reduce,
  resize,
  shape,
  slice,
  split,
  transpose,
} from './layout-rules.ts';
import { reshape, sameOrder } from './reshape-rules.ts';

type Rule = (map: ChannelMap, node: NodeProto) => void;

const ruleFor = (rule: Rule, operators: string): [string, Rule][] =>
  operators.split(' ').map((operator) => [operator, rule]);

const RULES: ReadonlyMap<string, Rule> = new Map([
  ...ruleFor(
    unary,
    'Relu LeakyRelu ThresholdedRelu Elu Selu Celu Clip Sigmoid HardSigmoid HardSwish Swish Mish Tanh Gelu Erf ' +
      'Softplus Softsign Abs Neg Exp Log Sqrt Reciprocal Sign Floor Ceil Round Sin Cos Identity Dropout Cast',
  ),
  ...ruleFor(broadcast, 'Add Sub Mul Div Pow Min Max Sum Mean PRelu Where'),
  ...ruleFor(perChannel, 'BatchNormalization InstanceNormalization'),
  ...ruleFor(pooling, 'MaxPool AveragePool LpPool GlobalMaxPool GlobalAveragePool GlobalLpPool'),
  ...ruleFor(sameOrder, 'Flatten Squeeze Unsqueeze'),
  ...ruleFor(
    reduce,
    'ReduceMean ReduceSum ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceProd ReduceSumSquare ReduceLogSumExp',
  ),
  ['Conv', conv], ['ConvTranspose', convTranspose], ['Gemm', gemm], ['MatMul', matMul],
  ['Reshape', reshape], ['Transpose', transpose], ['Pad', pad], ['Slice', slice], ['Gather', gather],
  ['Resize', resize], ['Expand', expand], ['Concat', concat], ['Split', split], ['Shape', shape],
]); // prettier-ignore

/**
 * Finds the channels of a graph whose nodes are in order. `shapes` are those of every tensor in a run on one
 * sample, by name.
 */
export function coupleChannels(
  graph: GraphProto,
  shapes: ReadonlyMap<string, readonly number[]>,
): ChannelMap {
  const map = new ChannelMap(indexGraph(graph), shapes);
  for (const node of graph.node) {
    const isStandard = (node.domain ?? '') === '' || node.domain === 'ai.onnx';
    const rule = isStandard ? RULES.get(node.opType ?? '') : undefined;
    if (rule === undefined) map.freezeInputs(node);
    else rule(map, node);
    for (const name of capturedNames(node)) {
      const channels = map.channelsOf(name);
      if (channels !== undefined) map.freeze(channels.labels, node);
    }
  }
  for (const name of map.index.outputs) {
    const channels = map.channelsOf(name);
    if (channels !== undefined) map.labels.freezeAll(channels.labels, `the output "${name}"`);
  }
  map.freezeSharedConstants();
  return map;
}
