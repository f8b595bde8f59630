// How much a search for mixed precision may run: so many samples for each quantized model it tries that it stays
// within a bound whatever the model takes. Pure.

export interface SearchBudget {
  /** Samples on which a set of layers is judged. */
  readonly samples: number;
  /** Samples on which one layer's harm is estimated. */
  readonly samplesPerLayer: number;
  /** Layers that are tried one by one at most; more are joined with their neighbours. */
  readonly maxLayers: number;
  /** Sets that may be tried while layers are given back to 8 bits. */
  readonly giveBackTrials: number;
  /** Sets that may be tried in all. */
  readonly setTrials: number;
}

/** About as long as all runs of one search may take. */
const SEARCH_MS = 120_000;
const MIN_RUNS = 400;
const MAX_RUNS = 12_000;
const MAX_LAYERS = 96;
const GIVE_BACK_TRIALS = 16;
/** Binary search over the layers: 1 + log2(MAX_LAYERS). */
const SET_TRIALS = 8 + GIVE_BACK_TRIALS;
const MAX_SAMPLES = 512;
const MAX_SAMPLES_PER_LAYER = 8;

/** `runMs`: how long the float model takes for one sample. */
export function searchBudget(runMs: number, layers: number): SearchBudget {
  const runs = Math.max(MIN_RUNS, Math.min(MAX_RUNS, Math.floor(SEARCH_MS / Math.max(runMs, 0.01))));
  const share = runs / 2;
  const tried = Math.max(1, Math.min(layers, MAX_LAYERS));
  return {
    samples: Math.max(1, Math.min(MAX_SAMPLES, Math.floor(share / SET_TRIALS))),
    samplesPerLayer: Math.max(1, Math.min(MAX_SAMPLES_PER_LAYER, Math.floor(share / tried))),
    maxLayers: MAX_LAYERS,
    giveBackTrials: GIVE_BACK_TRIALS,
    setTrials: SET_TRIALS,
  };
}
