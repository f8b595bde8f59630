// Leaves in float the layers that cost more of the task's metric in 8 bits than the recipe allows: each layer's
// harm is measured alone, then few of the most harmful ones are found that bring the loss within its limit.

import type { StepContext } from '../step.ts';
import { layerHarms, type LayerHarm } from './layer-harm.ts';
import type { Layer } from './layers.ts';
import { toSqnrDb } from './noise-energy.ts';
import { OutputJudge } from './output-judge.ts';
import type { MakeTrial } from './quantized-copy.ts';
import { smallestFloatSet } from './smallest-float-set.ts';

export interface AccuracySearch {
  /** The float model. */
  readonly original: Uint8Array;
  /** What can be switched. */
  readonly layers: readonly Layer[];
  readonly make: MakeTrial;
  /** Share of the task's metric that may be lost. */
  readonly maxLoss: number;
}

export interface AccuracyResult {
  /** Names of the nodes to leave in float. */
  readonly exclude: Set<string>;
  /** The layers that were tried alone, most harmful first; empty where none has to stay in float. */
  readonly sensitivity: readonly LayerHarm[];
}

/** Each decision is noted with its numbers. Throws `model-load-failed` or `dataset-invalid`. */
export async function searchAccuracy(search: AccuracySearch, context: StepContext): Promise<AccuracyResult> {
  const { original, layers, make, maxLoss } = search;
  const judge = await OutputJudge.of(original, context, layers.length);
  const lossOf = async (float: readonly LayerHarm[]) => (await judge.judge(make(namesOf(float)))).lost;
  const describe = (lost: number) =>
    `${judge.metric} lost ${inPercent(lost)} of ${inPercent(maxLoss)} allowed, on ${judge.samples} samples`;
  const lostWithout = await lossOf([]);
  if (lostWithout <= maxLoss) {
    context.note(`accuracy: no layer has to stay in float: ${describe(lostWithout)}`);
    return { exclude: new Set(), sensitivity: [] };
  }
  context.note(`accuracy: with every layer in 8 bits ${describe(lostWithout)}`);
  const sensitivity = await layerHarms(layers, make, judge, context.progress);
  let asked = 0;
  const float = await smallestFloatSet({
    ordered: sensitivity,
    isEnough: async (tried) => {
      context.progress({ phase: 'mixed', done: asked++, total: judge.budget.setTrials });
      return (tried.length === 0 ? lostWithout : await lossOf(tried)) <= maxLoss;
    },
    giveBackTrials: judge.budget.giveBackTrials,
  });
  for (const { layer, noise } of float) {
    const alone = `alone in 8 bits it gives ${toSqnrDb(noise).toFixed(1)} dB`;
    context.note(`accuracy: layer ${layer.name} (${layer.opType}) left in float: ${alone}`);
  }
  const left = `${float.length} of ${sensitivity.length} layers left in float`;
  context.note(`accuracy: ${left}: ${describe(await lossOf(float))}`);
  return { exclude: namesOf(float), sensitivity };
}

function namesOf(float: readonly LayerHarm[]): Set<string> {
  return new Set(float.flatMap(({ layer }) => layer.nodes));
}

function inPercent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}
