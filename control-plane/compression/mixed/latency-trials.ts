// Which nodes might be faster in float, in the order to try them: by operator, all operators without weights,
// depthwise convolutions, and layer by layer. Pure. The profiles only rank; whether a change pays is measured.

import { toNumber } from '../onnx/messages.ts';
import type { GraphProto, NodeProto } from '../onnx/onnx-types.ts';
import { ruleOf } from '../quantize/op-rules.ts';
import type { NodeTime } from '../latency/node-times.ts';
import { WEIGHT_OPERATORS, type Layer } from './layers.ts';

/** Nodes to leave in float together, and why they are taken together. */
export interface LatencyTrial {
  readonly what: string;
  readonly nodes: readonly string[];
}

interface WeighedTrial extends LatencyTrial {
  /** What the profiles make of it, microseconds. */
  readonly savedUs: number;
}

export interface Profiles {
  readonly float: readonly NodeTime[];
  readonly quantized: readonly NodeTime[];
}

/** Their work is done by the range of the node before them; in float it would have to be done again. */
const FOLDED_OPERATORS: ReadonlySet<string> = new Set(['Relu', 'Clip']);
/** A trial that a profile shows to lose more of the model's time than this is not worth a race. */
const MAX_LOSS = 0.02;
/** A single layer's gain is often too small to be seen in a race. */
const MAX_SINGLE_LAYERS = 6;

/** Trials for a graph whose nodes all have names, most promising first. */
export function latencyTrials(
  graph: GraphProto,
  layers: readonly Layer[],
  profiles: Profiles,
  operators?: ReadonlySet<string>,
): LatencyTrial[] {
  const nodes = graph.node.filter((node) => ruleOf(node, operators) !== undefined);
  const light = nodes.filter(({ opType = '' }) => !WEIGHT_OPERATORS.has(opType));
  const saved = savedByNode(graph, profiles);
  const sumOf = (names: readonly string[]) => names.reduce((sum, name) => sum + (saved.get(name) ?? 0), 0);
  const ofNodes = (what: string, chosen: readonly NodeProto[]): WeighedTrial => {
    const names = chosen.map(({ name = '' }) => name);
    return { what, nodes: names, savedUs: sumOf(names) };
  };
  const slower = layers
    .map(({ name, nodes: own, always }) => ({
      what: `the layer of ${name}`,
      nodes: own,
      savedUs: sumOf([...own, ...always]),
    }))
    .filter(({ savedUs }) => savedUs > 0)
    .toSorted((a, b) => b.savedUs - a.savedUs);
  const trials = [
    ofNodes('every operator without weights', light),
    ...byOperator(light).map(([opType, group]) => ofNodes(`every ${opType}`, group)),
    ofNodes('every depthwise convolution', nodes.filter(depthwiseIn(graph))),
    ...[1, 2, 4, 8].flatMap((part) => slowest(slower, Math.ceil(slower.length / part))),
    ...slower.slice(0, MAX_SINGLE_LAYERS),
  ];
  const totalUs = profiles.quantized.reduce((sum, { timeUs }) => sum + timeUs, 0);
  return trials
    .filter((trial) => trial.nodes.length > 0 && trial.savedUs > -MAX_LOSS * totalUs)
    .toSorted((a, b) => b.savedUs - a.savedUs)
    .map(({ what, nodes }) => ({ what, nodes }));
}

/** The first `count` trials as one, unless that is one alone. */
function slowest(trials: readonly WeighedTrial[], count: number): WeighedTrial[] {
  if (count < 2) return [];
  const joined = trials.slice(0, count);
  const what = `the ${count} layers that a profile shows slowest in 8 bits`;
  const savedUs = joined.reduce((sum, trial) => sum + trial.savedUs, 0);
  return [{ what, nodes: joined.flatMap(({ nodes }) => nodes), savedUs }];
}

/** Operators that could do without the range of the node before them, with their nodes. */
function byOperator(nodes: readonly NodeProto[]): [string, NodeProto[]][] {
  const groups = Map.groupBy(nodes, ({ opType = '' }) => opType);
  return [...groups].filter(([opType]) => !FOLDED_OPERATORS.has(opType));
}

/** A convolution whose weight [M, C/group, ...] has one input channel a filter, and more than one group. */
function depthwiseIn(graph: GraphProto): (node: NodeProto) => boolean {
  const weights = new Map(graph.initializer.map((tensor) => [tensor.name ?? '', tensor]));
  return ({ opType, input, attribute }) => {
    const channels = weights.get(input[1] ?? '')?.dims[1];
    const group = toNumber(attribute.find(({ name }) => name === 'group')?.i);
    return opType === 'Conv' && group > 1 && channels !== undefined && toNumber(channels) === 1;
  };
}

/** Microseconds that a node, with the conversions at its output, takes longer in 8 bits. */
function savedByNode(graph: GraphProto, { float, quantized }: Profiles): Map<string, number> {
  const owner = ownerOf(graph);
  const saved = new Map<string, number>();
  const add = (times: readonly NodeTime[], sign: number) => {
    for (const { name, timeUs } of times) {
      const node = owner(name);
      if (node !== undefined) saved.set(node, (saved.get(node) ?? 0) + sign * timeUs);
    }
  };
  add(quantized, 1);
  add(float, -1);
  return saved;
}

/** The node that a profiled one was made from: the longest node or output name that it begins with. */
function ownerOf(graph: GraphProto): (profiled: string) => string | undefined {
  const owners = new Map<string, string>();
  for (const { name = '', output } of graph.node)
    for (const known of [name, ...output]) if (known !== '') owners.set(known, name);
  return (profiled) => {
    for (let end = profiled.length; end > 0; end--) {
      const owner = owners.get(profiled.slice(0, end));
      if (owner !== undefined) return owner;
    }
    return undefined;
  };
}
