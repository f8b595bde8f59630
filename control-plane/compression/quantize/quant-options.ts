// What a static quantization may do: number formats, and which nodes it touches.

import type { StaticInt8Recipe } from '#protocol/compression.ts';
import type { QuantType } from './scale.ts';

export interface QuantOptions {
  /** Type of the activations; weights are always s8, symmetric. */
  readonly activation: QuantType;
  /** Activations with the zero point in the middle of their type: 0 for s8. */
  readonly symmetric: boolean;
  /** Biases stay float32. */
  readonly floatBias: boolean;
  readonly perChannel: boolean;
  /** Weights in -64..64. */
  readonly reduceRange: boolean;
  /** Names of nodes that stay in float. */
  readonly exclude: ReadonlySet<string>;
  /** Operators to quantize; every one that has a rule when absent. */
  readonly operators?: ReadonlySet<string>;
}

/** The options that a recipe asks for. */
export function quantOptions(recipe: StaticInt8Recipe, exclude: ReadonlySet<string>): QuantOptions {
  const { activation, symmetric, floatBias, perChannel, reduceRange, operators } = recipe;
  const formats = { activation, symmetric, floatBias, perChannel, reduceRange };
  return {
    ...formats,
    exclude,
    ...(operators === undefined ? {} : { operators: new Set(operators) }),
  };
}

/** The first operator set that can hold the result: with QuantizeLinear, or with an axis on it. */
export function lowestOpset({ perChannel }: Pick<QuantOptions, 'perChannel'>): number {
  return perChannel ? 13 : 10;
}
