import { expect, it } from 'vitest';
import { recipeInWords } from '#control-plane/view/recipe-words.ts';
import type { CompressionRecipe, Pruning, StaticInt8Recipe } from '#protocol/compression.ts';

const prune: Pruning = { structure: 'channels', ratio: 0.25, importance: 'l1', roundTo: 8, refit: true };
const int8: StaticInt8Recipe = {
  kind: 'static-int8', activation: 'u8', symmetric: false, floatBias: false, perChannel: true, reduceRange: false,
  calibration: { method: 'minmax', samples: 200 },
}; // prettier-ignore

it.each<[CompressionRecipe, string]>([
  [{ kind: 'original' }, 'the original'],
  [{ kind: 'fp16' }, 'fp16'],
  [{ kind: 'pruned', prune }, '25 % of channels pruned and refitted'],
  [{ kind: 'fp16', prune: { ...prune, structure: '2:4', refit: false } }, 'fp16 (pruned 2:4)'],
  [int8, 'int8 u8s8 (per channel)'],
  [{ ...int8, perChannel: false, reduceRange: true }, 'int8 u8s8 (per tensor, reduced range)'],
  [
    { ...int8, activation: 's8', symmetric: true, floatBias: true },
    'int8 s8s8 (per channel, zero point 0, float bias)',
  ],
  [{ ...int8, mixed: { maxLoss: 0, latency: true } }, 'int8 u8s8 (per channel, mixed with float)'],
  [
    { ...int8, calibration: { method: 'entropy', samples: 9 }, operators: ['Conv', 'Gemm'] },
    'int8 u8s8 (per channel, entropy, only Conv and Gemm)',
  ],
  [
    { kind: 'dynamic-int8', weight: 's8', perChannel: false, reduceRange: false },
    'int8 dynamic s8 (per tensor)',
  ],
  [{ kind: 'int4', algorithm: 'k-quant', blockSize: 32, symmetric: false }, 'int4 k-quant (blocks of 32)'],
])('says %o as %s', (recipe, words) => {
  expect(recipeInWords(recipe)).toBe(words);
});
