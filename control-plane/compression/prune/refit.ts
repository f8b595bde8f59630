// Refits every layer downstream of a cut, in graph order, on what the pruned model now gives it, to what the
// original made there, so that errors do not add up. No training. Source: Channel Pruning (He, Zhang and Sun, ICCV
// 2017), section 3.2.

import { graphOf } from '../onnx/codec.ts';
import { indexGraph, type GraphIndex } from '../onnx/graph-index.ts';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from '../onnx/onnx-types.ts';
import { dimsOf, elementCount, floatTensor } from '../onnx/tensor-data.ts';
import { dropUnusedInitializers } from '../onnx/unused-initializers.ts';
import type { StepContext } from '../step.ts';
import { unusedName } from './cut.ts';
import { isScaled, readWeights, withWeights, type LayerWeights } from './layer-weights.ts';
import type { Fit } from './least-squares.ts';
import type { Covariance } from './moments.ts';
import { collectMoments, type RowSource } from './sample-rows.ts';

export interface RefitLayer {
  readonly node: NodeProto;
  /** Output channels of the original layer that are left, in order. */
  readonly kept: readonly number[];
}

export interface RefitTask<Layer extends RefitLayer> {
  /** The pruned model, edited in place. */
  readonly model: ModelProto;
  /** The model before anything was taken out. */
  readonly original: ModelProto;
  readonly layers: readonly Layer[];
  readonly context: StepContext;
  /** Whether a layer is fitted anew; `isChanged` where the pruned model gives it other inputs. */
  readonly isFitted: (layer: Layer, isChanged: boolean) => boolean;
  /** New weights [M, K] and bias of one group of a layer, from those it has. */
  readonly fit: (covariance: Covariance, start: Float64Array, layer: Layer) => Fit;
}

/** A wider fit takes too long here. */
export const MAX_FIT_INPUTS = 4096;

/** `changed` names the tensors whose producers were edited already. */
export async function refitLayers<Layer extends RefitLayer>(
  task: RefitTask<Layer>,
  changed: ReadonlySet<string>,
): Promise<void> {
  const byNode = new Map(task.layers.map((layer) => [layer.node, layer]));
  const dirty = new Set(changed);
  let done = 0;
  for (const node of graphOf(task.model).node) {
    const layer = byNode.get(node);
    if (layer !== undefined) {
      const isFitted = task.isFitted(layer, dirty.has(node.input[0] ?? ''));
      if (isFitted) await refitLayer(task, layer);
      if (isFitted) dirty.add(node.output[0] ?? '');
      task.context.progress({ phase: 'refit', done: ++done, total: task.layers.length });
    }
    if (node.input.some((name) => dirty.has(name))) node.output.forEach((name) => dirty.add(name));
  }
}

async function refitLayer<Layer extends RefitLayer>(task: RefitTask<Layer>, layer: Layer): Promise<void> {
  const { node, kept } = layer;
  const graph = graphOf(task.model);
  const index = indexGraph(graph);
  const tensor = index.initializers.get(node.input[1] ?? '');
  if (tensor === undefined) return;
  const weights = readWeights(tensor, node);
  const bias = biasSite(index, node, kept.length);
  const obstacle = obstacleTo(index, node, tensor, weights, bias);
  if (bias === 'fixed' || obstacle !== undefined) {
    task.context.note(`${node.opType ?? ''} "${node.name ?? ''}" is not refitted: ${obstacle ?? ''}`);
    return;
  }
  const [input = ''] = node.input;
  const target = bias === 'none' ? (node.output[0] ?? '') : bias.output;
  const source: RowSource = { node, weights, input, target, kept };
  const [moments = []] = await collectMoments([source], task.model, task.original, task.context);
  const size = weights.rows * weights.columns;
  const fits = moments.map((moment, group) => {
    const start = weights.values.slice(group * size, (group + 1) * size);
    return task.fit(moment.covariance(bias !== 'none'), start, layer);
  });
  const fitted = withWeights(tensor, node, join(fits.map((fit) => fit.weights)));
  graph.initializer = graph.initializer.map((other) => (other === tensor ? fitted : other));
  const biases = fits.flatMap((fit) => fit.bias ?? []);
  if (bias !== 'none' && biases.length === fits.length) putBias(graph, bias, Float32Array.from(join(biases)));
}

function obstacleTo(
  index: GraphIndex,
  node: NodeProto,
  { name = '' }: TensorProto,
  { columns, kernel }: LayerWeights,
  bias: BiasSite | 'none' | 'fixed',
): string | undefined {
  if ((index.consumers.get(name)?.length ?? 0) > 1) return 'another layer shares its weights';
  if (columns > MAX_FIT_INPUTS) return `it has more than ${MAX_FIT_INPUTS} inputs`;
  if (kernel.length > 2) return 'its kernel has more than two axes';
  if (isScaled(node)) return 'its product is scaled';
  return bias === 'fixed' ? 'its bias is not one constant a channel' : undefined;
}

/** Gives the layer a bias of its own: another node may read the old one. */
function putBias(graph: GraphProto, { node, input }: BiasSite, values: Float32Array): void {
  const name = unusedName(graph, `${node.output[0] ?? ''}_bias_refitted`);
  graph.initializer.push(floatTensor(name, [values.length], values));
  while (node.input.length <= input) node.input.push('');
  node.input[input] = name;
  dropUnusedInitializers(graph);
}

function join(parts: readonly Float64Array[]): Float64Array {
  const joined = new Float64Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

interface BiasSite {
  readonly node: NodeProto;
  readonly input: number;
  /** The tensor that holds the layer's output with its bias. */
  readonly output: string;
}

/** Where a layer's bias is or can be put: `none` for a bare MatMul, `fixed` where it is not a constant of one a channel. */
function biasSite(index: GraphIndex, node: NodeProto, channels: number): BiasSite | 'none' | 'fixed' {
  const isVector = (name: string) => {
    const tensor = index.initializers.get(name);
    if (tensor === undefined || index.inputs.has(name)) return false;
    const dims = dimsOf(tensor);
    return dims.at(-1) === channels && elementCount(dims) === channels;
  };
  const [output = ''] = node.output;
  if (node.opType !== 'MatMul') {
    const name = node.input[2] ?? '';
    return name === '' || isVector(name) ? { node, input: 2, output } : 'fixed';
  }
  const [add, ...others] = index.consumers.get(output) ?? [];
  if (add?.opType !== 'Add' || others.length > 0 || index.outputs.has(output)) return 'none';
  const input = add.input.findIndex((name) => name !== output && isVector(name));
  return input < 0 ? 'none' : { node: add, input, output: add.output[0] ?? '' };
}
