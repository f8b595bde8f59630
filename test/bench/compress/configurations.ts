// What each model is compressed to: the options of `holdfast compress run` beside the recipe that the reference is
// given for the same result, if it knows one.

/** The JSON that python_quantize.py reads. */
export type ReferenceRecipe =
  | {
      readonly kind: 'static';
      readonly activation: 'u8' | 's8';
      readonly symmetric: boolean;
      readonly perChannel: boolean;
      readonly reduceRange: boolean;
      readonly method: 'minmax' | 'percentile' | 'entropy';
    }
  | { readonly kind: 'dynamic'; readonly perChannel: boolean; readonly reduceRange: boolean }
  | { readonly kind: 'fp16' }
  | { readonly kind: 'int4'; readonly blockSize: number };

export interface Configuration {
  readonly name: string;
  readonly options: readonly string[];
  readonly reference: ReferenceRecipe | null;
  /** The exact mode: our output must be the reference's, to the bit. */
  readonly isExact: boolean;
  /** Configuration whose reference output this one is to beat, where the reference knows nothing like it. */
  readonly rival?: string;
  /** Operator the model must have. */
  readonly needs?: string;
  /** Models it is measured on; all when absent. */
  readonly models?: readonly string[];
}

const PLAIN = {
  kind: 'static',
  activation: 'u8',
  symmetric: false,
  perChannel: false,
  reduceRange: false,
  method: 'minmax',
} as const satisfies ReferenceRecipe;
const CHANNELS = { ...PLAIN, perChannel: true } as const;
const REDUCED = ['--quant', 'u8s8', '--per-channel', '--reduce-range'];
const RIVAL = 'u8s8 per-channel reduced';
const PRUNE = ['--quant', 'none', '--prune', '0.25', '--normalise'];

const exact = (name: string, options: readonly string[], reference: ReferenceRecipe): Configuration => ({
  name,
  options,
  reference,
  isExact: true,
});
const alone = (name: string, options: readonly string[], rest: Partial<Configuration>): Configuration => ({
  name,
  options,
  reference: null,
  isExact: false,
  ...rest,
});

export const CONFIGURATIONS: readonly Configuration[] = [
  exact('u8s8', ['--quant', 'u8s8'], PLAIN),
  exact(RIVAL, REDUCED, { ...CHANNELS, reduceRange: true }),
  exact('s8s8 per-channel', ['--quant', 's8s8', '--per-channel'], { ...CHANNELS, activation: 's8' }),
  exact('s8s8-sym per-channel', ['--quant', 's8s8-sym', '--per-channel'], {
    ...CHANNELS,
    activation: 's8',
    symmetric: true,
  }),
  exact('u8s8 percentile', ['--quant', 'u8s8', '--method', 'percentile'], { ...PLAIN, method: 'percentile' }),
  exact('u8s8 entropy', ['--quant', 'u8s8', '--method', 'entropy'], { ...PLAIN, method: 'entropy' }),
  { name: 'fp16', options: ['--quant', 'fp16'], reference: { kind: 'fp16' }, isExact: false },
  {
    name: 'dynamic',
    options: ['--quant', 'dynamic'],
    reference: { kind: 'dynamic', perChannel: false, reduceRange: false },
    isExact: false,
  },
  {
    name: 'int4',
    options: ['--quant', 'int4'],
    reference: { kind: 'int4', blockSize: 32 },
    isExact: false,
    needs: 'MatMul',
  },
  alone('normalised u8s8 reduced', [...REDUCED, '--normalise'], { rival: RIVAL }),
  alone('mixed, what pays', [...REDUCED, '--normalise', '--mixed', '0.005', '--faster'], { rival: RIVAL }),
  alone('prune 25 % raw', [...PRUNE, '--no-refit'], { models: ['fashion'] }),
  alone('prune 25 % refit', PRUNE, { models: ['fashion'] }),
  alone('prune 25 % refit, u8s8', [...REDUCED, '--prune', '0.25', '--normalise'], {
    models: ['fashion'],
    rival: RIVAL,
  }),
];
