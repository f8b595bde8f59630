// Experimental: sets single weights to zero, by magnitude or two of each four in a row, and refits the others of
// each output. Zeros are stored like any weight: no time and no bytes are saved without a sparse runtime.
// Sources: Wanda (Sun et al., 2023) for comparing weights within one output, SparseGPT (2023) for the refit.

import type { Pruning } from '#protocol/compression.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { decodeModel, encodeModel, graphOf } from '../onnx/codec.ts';
import { elementCount } from '../onnx/tensor-data.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';
import type { StepContext } from '../step.ts';
import type { TensorFeed } from '../tensor-feed.ts';
import { shapesOf } from './activations.ts';
import { coupleChannels } from './coupling/couple.ts';
import type { ChannelMap, Layer } from './coupling/channel-map.ts';
import { fitMasked, fitNear, type Fit } from './least-squares.ts';
import { zeroLowest, zeroTwoOfFour } from './masks.ts';
import type { Covariance } from './moments.ts';
import { refitLayers, type RefitLayer } from './refit.ts';

/** Edits the model in place. Throws `compression-failed` where there is no layer of constant weights. */
export async function pruneWeights(
  model: ModelProto,
  pruning: Pruning,
  sample: TensorFeed,
  context: StepContext,
): Promise<void> {
  const shapes = await shapesOf(model, sample);
  const map = coupleChannels(graphOf(model), shapes);
  const layers = map.layers.map((layer) => sparseLayer(map, layer));
  const sparse = layers.filter(({ taps }) => taps > 0).length;
  if (sparse === 0) {
    throw new HoldfastError('compression-failed', 'the model has no layer that weights can be taken from', {
      hint: 'try another recipe (int8 or fp16) for this profile',
    });
  }
  const original = decodeModel(encodeModel(model));
  const isFitted = ({ taps }: SparseLayer, isChanged: boolean) => taps > 0 || (pruning.refit && isChanged);
  const fit = (covariance: Covariance, start: Float64Array, { taps }: SparseLayer) =>
    fitSparse(covariance, start, taps, pruning);
  await refitLayers({ model, original, layers, context, isFitted, fit }, new Set());
  const what = pruning.structure === '2:4' ? 'two of each four' : `${Math.round(pruning.ratio * 100)} %`;
  context.note(`set ${what} of the weights of ${sparse} layers to zero (experimental)`);
  context.note('zeros save no time on a CPU and no bytes in the file: they are stored like any weight');
}

interface SparseLayer extends RefitLayer {
  /** Places of the kernel; 0 for a layer that keeps its weights, a depthwise one. */
  readonly taps: number;
}

function sparseLayer(map: ChannelMap, { node, groups, output }: Layer): SparseLayer {
  const [, perGroup = 0, ...kernel] = map.shapeOf(node.input[1]) ?? [];
  const isDepthwise =
    groups > 1 && (node.opType === 'Conv' ? perGroup === 1 : groups === map.shapeOf(node.input[1])?.[0]);
  const channels = output?.length ?? map.shapeOf(node.output[0])?.[1] ?? 0;
  return {
    node,
    kept: Array.from({ length: channels }, (_, channel) => channel),
    taps: isDepthwise ? 0 : elementCount(kernel),
  };
}

function fitSparse(covariance: Covariance, start: Float64Array, taps: number, pruning: Pruning): Fit {
  if (taps === 0) return fitNear(covariance, start);
  const inputs = covariance.meanX.length;
  const isByContribution = pruning.importance === 'activation';
  const scales = Float64Array.from({ length: inputs }, (_, k) =>
    isByContribution ? Math.sqrt(Math.max(0, covariance.xx[k * inputs + k] ?? 0)) : 1,
  );
  const masked =
    pruning.structure === '2:4'
      ? zeroTwoOfFour(start, scales, taps)
      : zeroLowest(start, scales, pruning.ratio);
  return pruning.refit ? fitMasked(covariance, masked) : { weights: masked, bias: null };
}
