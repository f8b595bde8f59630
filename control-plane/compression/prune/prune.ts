// Makes a float model smaller by taking channels or single weights out of it, without training. The model is best
// normalised first (BatchNormalization folded, operator set 17 or higher). What stays whole is said in notes.

import type { Pruning } from '#protocol/compression.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { constantsToInitializers } from '../onnx/constants-to-initializers.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';
import type { StepContext } from '../step.ts';
import type { TensorFeed } from '../tensor-feed.ts';
import { pruneChannels } from './prune-channels.ts';
import { pruneWeights } from './prune-weights.ts';

/**
 * Edits the model in place; a ratio of 0 changes nothing. Throws `compression-failed` where nothing can be taken
 * out, `dataset-invalid` for no samples or NaN in them, or `model-load-failed`.
 */
export async function pruneModel(model: ModelProto, pruning: Pruning, context: StepContext): Promise<void> {
  const sample = await firstSample(context);
  if (pruning.ratio === 0 && pruning.structure !== '2:4') {
    context.note('nothing was pruned: the share to take out is 0');
    return;
  }
  constantsToInitializers(model);
  if (pruning.structure === 'channels') await pruneChannels(model, pruning, sample, context);
  else await pruneWeights(model, pruning, sample, context);
}

async function firstSample(context: StepContext): Promise<TensorFeed> {
  for await (const feed of context.samples) return feed;
  throw new HoldfastError('dataset-invalid', 'there is no calibration sample', {
    hint: 'give at least one real input of the model; a few hundred are better',
  });
}
