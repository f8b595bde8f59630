// The recipe that the options of `compress run` spell out.

import { InvalidArgumentError, Option, type Command } from 'commander';
import { z } from 'zod';
import { compressionRecipeSchema, type CompressionRecipe, type Pruning } from '#protocol/compression.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { parseCount } from '../../parse.ts';

const QUANTS = ['u8s8', 's8s8', 's8s8-sym', 'fp16', 'dynamic', 'int4', 'none'] as const;

export interface RecipeOptions {
  readonly quant: (typeof QUANTS)[number];
  readonly perChannel?: true;
  readonly reduceRange?: true;
  readonly floatBias?: true;
  readonly method: 'minmax' | 'percentile' | 'entropy';
  readonly samples: number;
  readonly mixed?: number;
  readonly faster?: true;
  readonly algorithm: 'rtn' | 'k-quant';
  readonly blockSize: number;
  readonly asymmetric?: true;
  readonly prune?: number;
  readonly pruneStructure: Pruning['structure'];
  readonly importance: Pruning['importance'];
  readonly roundTo: number;
  readonly refit: boolean;
}

export function withRecipeOptions(command: Command): Command {
  return command
    .addOption(new Option('--quant <kind>', 'what the weights become').choices(QUANTS).makeOptionMandatory())
    .option('--per-channel', 'a scale for each output channel of a weight')
    .option('--reduce-range', 'weights in 7 bits, for x86 without VNNI')
    .option('--float-bias', 'biases stay float32, as TensorRT wants them')
    .addOption(
      new Option('--method <method>', 'how ranges are calibrated')
        .choices(['minmax', 'percentile', 'entropy'])
        .default('minmax'),
    )
    .option('--samples <n>', 'calibration samples used at most', parseCount, 1_000)
    .option('--mixed <loss>', 'keep layers in float until at most this share of accuracy is lost', parseShare)
    .option('--faster', 'with --mixed: keep in float what int8 does not speed up on this machine')
    .addOption(new Option('--algorithm <name>', 'how int4 rounds').choices(['rtn', 'k-quant']).default('rtn'))
    .option('--block-size <n>', 'weights that share an int4 scale: 16, 32, 64, 128 or 256', parseCount, 32)
    .option('--asymmetric', 'int4 with zero points')
    .option('--prune <share>', 'remove this share of channels or weights first, 0 to 0.9', parseShare)
    .addOption(
      new Option('--prune-structure <kind>', 'what is removed')
        .choices(['channels', 'magnitude', '2:4'])
        .default('channels'),
    )
    .addOption(
      new Option('--importance <norm>', 'what is kept')
        .choices(['l1', 'l2', 'activation'])
        .default('activation'),
    )
    .option('--round-to <n>', 'channels that stay are a multiple of this', parseCount, 1)
    .option('--no-refit', 'do not refit the next layer by least squares');
}

/** Throws `bad-config` for options that do not go together. */
export function recipeOf(options: RecipeOptions): CompressionRecipe {
  const parsed = compressionRecipeSchema.safeParse(spellOut(options));
  if (parsed.success) return parsed.data;
  throw new HoldfastError('bad-config', `these options make no recipe:\n${z.prettifyError(parsed.error)}`, {
    hint: 'holdfast compress run --help lists what goes with what',
  });
}

function spellOut(options: RecipeOptions): unknown {
  const { quant, perChannel = false, reduceRange = false, floatBias = false } = options;
  const prune = options.prune === undefined ? {} : { prune: pruningOf(options, options.prune) };
  switch (quant) {
    case 'none':
      return { kind: 'pruned', ...prune };
    case 'fp16':
      return { kind: 'fp16', ...prune };
    case 'dynamic':
      return { kind: 'dynamic-int8', weight: 's8', perChannel, reduceRange, ...prune };
    case 'int4': {
      const { algorithm, blockSize, asymmetric } = options;
      return { kind: 'int4', algorithm, blockSize, symmetric: asymmetric === undefined, ...prune };
    }
    default: {
      const { method, samples, mixed, faster } = options;
      return {
        kind: 'static-int8',
        activation: quant === 'u8s8' ? 'u8' : 's8',
        symmetric: quant === 's8s8-sym',
        floatBias,
        perChannel,
        reduceRange,
        calibration: { method, samples },
        ...(mixed === undefined ? {} : { mixed: { maxLoss: mixed, latency: faster === true } }),
        ...prune,
      };
    }
  }
}

function pruningOf(options: RecipeOptions, ratio: number): Pruning {
  const { pruneStructure: structure, importance, roundTo, refit } = options;
  return { structure, ratio, importance, roundTo, refit };
}

function parseShare(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError('give a share from 0 to 1');
  return value;
}
