// A recipe in a few words, the same on the command line, in the console, and in what a decision says.

import type { CompressionRecipe, Pruning, StaticInt8Recipe } from '#protocol/compression.ts';
import { percentInWords } from './words.ts';

/** `int8 u8s8 (per channel, reduced range)`, `fp16`, `the original`. */
export function recipeInWords(recipe: CompressionRecipe): string {
  const pruned = 'prune' in recipe && recipe.prune !== undefined ? [pruningInWords(recipe.prune)] : [];
  switch (recipe.kind) {
    case 'original':
      return 'the original';
    case 'pruned':
      return pruned.join('');
    case 'fp16':
      return withDetails('fp16', pruned);
    case 'dynamic-int8': {
      const { weight, perChannel, reduceRange } = recipe;
      return withDetails(`int8 dynamic ${weight}`, [...rangeWords(perChannel, reduceRange), ...pruned]);
    }
    case 'int4': {
      const { algorithm, blockSize, symmetric } = recipe;
      const zero = symmetric ? ['symmetric'] : [];
      return withDetails(`int4 ${algorithm}`, [`blocks of ${blockSize}`, ...zero, ...pruned]);
    }
    case 'static-int8':
      return withDetails(`int8 ${recipe.activation}s8`, [...staticWords(recipe), ...pruned]);
  }
}

function withDetails(name: string, details: readonly string[]): string {
  return details.length === 0 ? name : `${name} (${details.join(', ')})`;
}

function staticWords(recipe: StaticInt8Recipe): string[] {
  const { perChannel, reduceRange, symmetric, floatBias, calibration, operators, mixed } = recipe;
  return [
    ...rangeWords(perChannel, reduceRange),
    ...(symmetric ? ['zero point 0'] : []),
    ...(floatBias ? ['float bias'] : []),
    ...(calibration.method === 'minmax' ? [] : [calibration.method]),
    ...(operators === undefined ? [] : [`only ${operators.join(' and ')}`]),
    ...(mixed === undefined ? [] : ['mixed with float']),
  ];
}

function rangeWords(perChannel: boolean, reduceRange: boolean): string[] {
  return [perChannel ? 'per channel' : 'per tensor', ...(reduceRange ? ['reduced range'] : [])];
}

function pruningInWords({ structure, ratio, refit }: Pruning): string {
  const what = structure === '2:4' ? 'pruned 2:4' : `${percentInWords(ratio, 0)} of ${structure} pruned`;
  return refit ? `${what} and refitted` : what;
}
