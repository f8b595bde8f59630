// Mixed precision of static int8: which nodes stay in float, because they do not pay in 8 bits on this machine or
// because they cost more of the task's metric than the recipe allows. Runs inside the child process.
// Cost: 20 races of about 5 s, then at most 97 + 25 loaded models whose runs take about 2 minutes together.

import type { StaticInt8Recipe } from '#protocol/compression.ts';
import { nodeTimes } from '../latency/node-times.ts';
import { encodeModel, graphOf } from '../onnx/codec.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';
import type { Range } from '../quantize/scale.ts';
import type { StepContext } from '../step.ts';
import type { TensorFeed } from '../tensor-feed.ts';
import { searchAccuracy, type AccuracyResult } from './accuracy-search.ts';
import { layersOf, type Layer } from './layers.ts';
import { searchLatency } from './latency-search.ts';
import { latencyTrials } from './latency-trials.ts';
import { nameNodes } from './node-names.ts';
import { trialsOf, type MakeTrial } from './quantized-copy.ts';
import { TrialRaces } from './trial-races.ts';

/** Samples that models are timed on. */
const TIMED_SAMPLES = 4;

/**
 * Searches as `recipe.mixed` asks, and not at all where it is absent. Of the model only names of nodes change, where
 * there is none or one twice. Each decision is noted with its numbers. Throws `model-load-failed`, `dataset-invalid` or `compression-failed`.
 */
export async function searchMixedPrecision(
  model: ModelProto,
  recipe: StaticInt8Recipe,
  ranges: ReadonlyMap<string, Range>,
  context: StepContext,
): Promise<AccuracyResult> {
  const { mixed } = recipe;
  if (mixed === undefined) return { exclude: new Set(), sensitivity: [] };
  nameNodes(model);
  const operators = recipe.operators === undefined ? undefined : new Set(recipe.operators);
  const layers = layersOf(graphOf(model), operators);
  const make = trialsOf(model, recipe, ranges);
  const slow = mixed.latency ? await findSlow(model, layers, make, context, operators) : new Set<string>();
  const search = {
    original: encodeModel(model),
    layers: without(layers, slow),
    make: (exclude: ReadonlySet<string>) => make(new Set([...exclude, ...slow])),
    maxLoss: mixed.maxLoss,
  };
  const { exclude, sensitivity } = await searchAccuracy(search, context);
  return { exclude: new Set([...exclude, ...slow]), sensitivity };
}

function without(layers: readonly Layer[], nodes: ReadonlySet<string>): Layer[] {
  return layers
    .map((layer) => ({ ...layer, nodes: layer.nodes.filter((name) => !nodes.has(name)) }))
    .filter((layer) => layer.nodes.length > 0);
}

async function findSlow(
  model: ModelProto,
  layers: readonly Layer[],
  make: MakeTrial,
  context: StepContext,
  operators: ReadonlySet<string> | undefined,
): Promise<Set<string>> {
  context.progress({ phase: 'latency', done: 0, total: 1 });
  const feeds = await firstSamples(context.samples);
  const [feed] = feeds;
  if (feed === undefined) return new Set();
  const profiles = {
    float: await nodeTimes(encodeModel(model), feed),
    quantized: await nodeTimes(make(new Set()), feed),
  };
  const runMs = profiles.quantized.reduce((sum, { timeUs }) => sum + timeUs / 1000, 0);
  await using races = await TrialRaces.create(make, feeds, runMs);
  return await searchLatency({
    trials: latencyTrials(graphOf(model), layers, profiles, operators),
    race: (exclude) => races.race(exclude),
    accept: (exclude) => races.accept(exclude),
    note: context.note,
    progress: (done, total) => context.progress({ phase: 'latency', done, total }),
    nowMs: () => performance.now(),
  });
}

async function firstSamples(samples: AsyncIterable<TensorFeed>): Promise<TensorFeed[]> {
  const feeds: TensorFeed[] = [];
  for await (const feed of samples) if (feeds.push(feed) === TIMED_SAMPLES) break;
  return feeds;
}
