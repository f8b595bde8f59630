// The step that lowers a model's precision: which one a recipe asks for, and which nodes it changed.

import type { CompressionRecipe, StaticInt8Recipe } from '#protocol/compression.ts';
import { quantizeDynamic } from './dynamic/quantize-dynamic.ts';
import { toFloat16 } from './float16/to-float16.ts';
import { quantizeInt4 } from './int4/quantize-int4.ts';
import { countLowered, type LoweredNodes } from './lowered-nodes.ts';
import { searchMixedPrecision } from './mixed/search.ts';
import { graphOf } from './onnx/codec.ts';
import { constantsToInitializers } from './onnx/constants-to-initializers.ts';
import type { ModelProto } from './onnx/onnx-types.ts';
import { countOps, splitByPrecision, type OpCounts } from './quantize/op-counts.ts';
import { quantizeModel } from './quantize/qdq.ts';
import { quantOptions } from './quantize/quant-options.ts';
import { calibrate, fitOpset } from './quantize/static-int8.ts';
import type { StepContext } from './step.ts';

export type LossyRecipe = Exclude<CompressionRecipe, { kind: 'original' }>;

export interface Lowered {
  readonly lowered: OpCounts;
  readonly folded: OpCounts;
  readonly float: OpCounts;
}

/** Edits the model in place. Throws as the step of the recipe's kind does. */
export async function lowerPrecision(
  model: ModelProto,
  recipe: LossyRecipe,
  context: StepContext,
): Promise<Lowered> {
  switch (recipe.kind) {
    case 'pruned':
      return countsOf(model, { lowered: new Set(), carrying: new Set() });
    case 'static-int8':
      return await quantizeStatically(model, recipe, context);
    case 'dynamic-int8':
      return countsOf(model, await quantizeDynamic(model, recipe, context));
    case 'int4':
      return countsOf(model, await quantizeInt4(model, recipe, context));
    case 'fp16':
      return countsOf(model, await toFloat16(model, context));
  }
}

async function quantizeStatically(
  model: ModelProto,
  recipe: StaticInt8Recipe,
  context: StepContext,
): Promise<Lowered> {
  constantsToInitializers(model);
  await fitOpset(model, recipe, context);
  const { operators } = quantOptions(recipe, new Set());
  const ranges = await calibrate(model, recipe.calibration, context, operators);
  const { exclude } = await searchMixedPrecision(model, recipe, ranges, context);
  context.progress({ phase: 'quantize', done: 0, total: 1 });
  const folded = quantizeModel(model, ranges, quantOptions(recipe, exclude));
  const { quantized, float } = splitByPrecision(graphOf(model));
  return { lowered: quantized, folded: countOps(folded), float };
}

function countsOf(model: ModelProto, nodes: LoweredNodes): Lowered {
  return { ...countLowered(graphOf(model), nodes), folded: {} };
}
