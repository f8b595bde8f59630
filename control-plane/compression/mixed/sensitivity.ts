// Which tensors of a compressed model carry most noise against the same tensors of the original: both run on the
// same samples and return what their nodes make, a few tensors at a time, so that memory stays bounded. Native
// code runs here, so only child processes call this.

import type { CompressionReport } from '#protocol/compression.ts';
import { spreadIndices } from '../../evaluation/spread-indices.ts';
import { decodeModel, encodeModel, graphOf } from '../onnx/codec.ts';
import { makeValueInfo } from '../onnx/messages.ts';
import type { ModelProto, NodeProto } from '../onnx/onnx-types.ts';
import { openSession, runModel, type OpenSession } from '../ort-session.ts';
import type { TensorFeed } from '../tensor-feed.ts';
import { NoiseEnergy, toSqnrDb } from './noise-energy.ts';

type WorstLayer = CompressionReport['worstLayers'][number];

const MAX_WORST = 20;
const MAX_SAMPLES = 2;
/** Tensors that a loaded model returns, and that are looked at in all. */
const TENSORS_AT_ONCE = 24;
const MAX_TENSORS = 360;
/** What QDQ models call the dequantized side of a tensor. */
const DEQUANTIZED = '_DequantizeLinear_Output';

/** A tensor of the original, its maker, and its name in the compressed model. */
interface Match {
  readonly node: NodeProto;
  readonly before: string;
  readonly after: string;
}

/**
 * The noisiest tensors that both models make as float32, worst first, 20 at most, by the node of the original that
 * makes each; tensors that do not differ are left out. Loads each model once for 24 tensors, 15 times at most, and
 * runs it on 2 samples. Throws `model-load-failed` or `dataset-invalid`.
 */
export async function worstLayers(
  original: Uint8Array,
  compressed: Uint8Array,
  samples: AsyncIterable<TensorFeed>,
): Promise<WorstLayer[]> {
  const [before, after] = [decodeModel(original), decodeModel(compressed)];
  const found: WorstLayer[] = [];
  const matches = matchTensors(before, after);
  for (let start = 0; start < matches.length; start += TENSORS_AT_ONCE) {
    found.push(...(await noiseOf(before, after, matches.slice(start, start + TENSORS_AT_ONCE), samples)));
  }
  return found.toSorted((a, b) => a.sqnrDb - b.sqnrDb).slice(0, MAX_WORST);
}

/** Tensors that nodes of both models make: by the same name, or dequantized; evenly picked where there are many. */
function matchTensors(before: ModelProto, after: ModelProto): Match[] {
  const made = new Set(graphOf(after).node.flatMap(({ output }) => output));
  const matches = graphOf(before).node.flatMap((node) =>
    node.output.flatMap((name) => {
      const dequantized = `${name}${DEQUANTIZED}`;
      if (name === '' || !(made.has(dequantized) || made.has(name))) return [];
      return [{ node, before: name, after: made.has(dequantized) ? dequantized : name }];
    }),
  );
  return spreadIndices(matches.length, MAX_TENSORS).map((index) => matches[index] as Match);
}

async function noiseOf(
  beforeModel: ModelProto,
  afterModel: ModelProto,
  named: readonly Match[],
  samples: AsyncIterable<TensorFeed>,
): Promise<WorstLayer[]> {
  await using before = await openWith(
    beforeModel,
    named.map((match) => match.before),
  );
  await using after = await openWith(
    afterModel,
    named.map((match) => match.after),
  );
  const [floatBefore, floatAfter] = [floatOutputs(before), floatOutputs(after)];
  const matches = named.filter((match) => floatBefore.has(match.before) && floatAfter.has(match.after));
  if (matches.length === 0) return [];
  const energies = new Map(matches.map((match) => [match, new NoiseEnergy()]));
  let seen = 0;
  for await (const sample of samples) {
    const expected = await runModel(
      before.session,
      sample,
      matches.map((match) => match.before),
    );
    const actual = await runModel(
      after.session,
      sample,
      matches.map((match) => match.after),
    );
    for (const [match, energy] of energies)
      energy.add(values(expected, match.before), values(actual, match.after));
    if (++seen === MAX_SAMPLES) break;
  }
  return [...energies].flatMap(([{ node, before: tensor }, { share }]) => {
    const sqnrDb = toSqnrDb(share);
    return Number.isFinite(sqnrDb) ? [{ name: nameOf(node, tensor), opType: node.opType ?? '', sqnrDb }] : [];
  });
}

function nameOf({ name = '' }: NodeProto, tensor: string): string {
  return name === '' ? tensor : name;
}

/** The model with these tensors as its outputs; ONNX Runtime infers their types. */
async function openWith(model: ModelProto, names: readonly string[]): Promise<OpenSession> {
  const graph = graphOf(model);
  const known = new Map(graph.output.map((value) => [value.name, value]));
  const output = names.map((name) => known.get(name) ?? makeValueInfo(name));
  return await openSession(encodeModel({ ...model, graph: { ...graph, output } }), { optimise: true });
}

function floatOutputs({ session }: OpenSession): Set<string> {
  const floats = session.outputMetadata.filter((value) => value.isTensor && value.type === 'float32');
  return new Set(floats.map(({ name }) => name));
}

function values(outputs: Awaited<ReturnType<typeof runModel>>, name: string): Float32Array {
  return outputs[name]?.data as Float32Array;
}
