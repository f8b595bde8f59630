// How much each layer harms when it alone is quantized and all others are float. Noise of small errors adds up,
// so the order of these numbers is the order in which layers are worth leaving in float.

import type { JobProgress } from '../child/job-messages.ts';
import type { Layer } from './layers.ts';
import type { OutputJudge } from './output-judge.ts';
import type { MakeTrial } from './quantized-copy.ts';

export interface LayerHarm {
  readonly layer: Layer;
  /** Noise energy at the worst output as a share of the signal's. */
  readonly noise: number;
}

/**
 * Most harmful first. One model is made, loaded and run on `budget.samplesPerLayer` samples for each layer,
 * `budget.maxLayers` times at most.
 */
export async function layerHarms(
  layers: readonly Layer[],
  make: MakeTrial,
  judge: OutputJudge,
  progress: (progress: JobProgress) => void,
): Promise<LayerHarm[]> {
  const tried = joinNeighbours(layers, judge.budget.maxLayers);
  const all = layers.flatMap(({ nodes }) => nodes);
  const harms: LayerHarm[] = [];
  for (const [index, layer] of tried.entries()) {
    progress({ phase: 'sensitivity', done: index, total: tried.length });
    const own = new Set(layer.nodes);
    const model = make(new Set(all.filter((name) => !own.has(name))));
    const { noise } = await judge.judge(model, judge.budget.samplesPerLayer);
    harms.push({ layer, noise });
  }
  return harms.toSorted((a, b) => b.noise - a.noise);
}

/** At most `most` layers, each of about as many that follow one another. */
export function joinNeighbours(layers: readonly Layer[], most: number): Layer[] {
  const size = Math.ceil(layers.length / most);
  const joined: Layer[] = [];
  for (let start = 0; start < layers.length; start += size) {
    const [first, ...others] = layers.slice(start, start + size) as [Layer, ...Layer[]];
    joined.push({
      ...first,
      nodes: [...first.nodes, ...others.flatMap(({ nodes }) => nodes)],
      always: [...first.always, ...others.flatMap(({ always }) => always)],
    });
  }
  return joined;
}
