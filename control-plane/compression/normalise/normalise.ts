// Brings a float model into the form that compression works best on: constants and batch normalizations folded,
// operator set 17, IR version 8, no unused or replaceable weights. Invariant: what comes out says, on probe inputs,
// what went in; where an edit cannot be proven, it is not made, and the report says so.

import { HoldfastError } from '#protocol/errors.ts';
import { checkEquivalent, REORDERED_SUMS } from '../check/equivalence.ts';
import { probeInputs } from '../check/probe-inputs.ts';
import { decodeModel, encodeModel, graphOf } from '../onnx/codec.ts';
import { constantsToInitializers } from '../onnx/constants-to-initializers.ts';
import { tensorTypes } from '../onnx/infer-types.ts';
import { toNumber } from '../onnx/messages.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';
import { dropUnusedInitializers } from '../onnx/unused-initializers.ts';
import { allNodes } from '../onnx/walk.ts';
import type { StepContext } from '../step.ts';
import type { TensorFeed } from '../tensor-feed.ts';
import { foldModel } from './fold.ts';
import { writeHardSigmoids } from './hard-sigmoid.ts';
import { takeInitializersOutOfInputs } from './initializer-inputs.ts';
import { setIrVersion } from './ir-version.ts';
import { withObservedShapes } from './observed-shapes.ts';
import { defaultOpset, raiseOpset } from './opset.ts';
import { spreadScalars } from './spread-scalars.ts';

const VARIANT_OPSET = 17;
/** Samples that the edits are proven on. */
const PROBES = 4;

/**
 * A normalised copy of `model`, or `model` itself where no edit could be proven; `model` is not changed. Throws
 * `dataset-invalid` for samples that do not fit.
 */
export async function normaliseModel(model: ModelProto, context: StepContext): Promise<ModelProto> {
  const before = encodeModel(model);
  const probes = await probesFor(before, context);
  if (probes.length === 0) {
    context.note('not normalised: there are no samples, and no made-up input runs, to prove it on');
    return model;
  }
  for (const fold of [true, false]) {
    const notes: string[] = [];
    const what = fold ? 'folding' : 'raising the operator set';
    const edited = await attempt(`${what} was left out`, context, () => edit(before, fold, probes, notes));
    if (edited === undefined) continue;
    notes.forEach(context.note);
    return edited;
  }
  return model;
}

async function probesFor(model: Uint8Array, { samples, sampleCount }: StepContext): Promise<TensorFeed[]> {
  if (sampleCount === 0) return await probeInputs(model);
  const probes: TensorFeed[] = [];
  for await (const sample of samples) if (probes.push(sample) === PROBES) break;
  return probes;
}

async function edit(
  before: Uint8Array,
  fold: boolean,
  probes: readonly TensorFeed[],
  notes: string[],
): Promise<ModelProto> {
  const cleaned = decodeModel(before);
  takeInitializersOutOfInputs(graphOf(cleaned));
  constantsToInitializers(cleaned);
  const nodesBefore = graphOf(cleaned).node.length;
  const folded = fold ? await simplified(cleaned) : cleaned;
  const nodesAfter = graphOf(folded).node.length;
  if (nodesAfter !== nodesBefore)
    notes.push(
      `constants, scales and batch normalizations folded: ${nodesBefore} nodes became ${nodesAfter}`,
    );
  const edited = await raised(folded, probes, notes);
  dropUnusedInitializers(graphOf(edited));
  dropUnusedDomains(edited);
  setIrVersion(edited);
  await checkEquivalent(before, encodeModel(edited), probes, REORDERED_SUMS);
  return edited;
}

async function simplified(model: ModelProto): Promise<ModelProto> {
  const graph = graphOf(model);
  spreadScalars(graph);
  writeHardSigmoids(graph);
  return await foldModel(model, encodeModel(model));
}

function dropUnusedDomains(model: ModelProto): void {
  const used = new Set([...allNodes(model)].map(({ domain }) => domain ?? '')).add('').add('ai.onnx');
  model.opsetImport = model.opsetImport.filter(({ domain }) => used.has(domain ?? ''));
}

/** The model at operator set 17 or its own higher one; as it is, with a note, where that is not safe. */
async function raised(
  model: ModelProto,
  [probe = {}]: readonly TensorFeed[],
  notes: string[],
): Promise<ModelProto> {
  const from = toNumber(defaultOpset(model).version);
  if (from >= VARIANT_OPSET) return model;
  const copy = decodeModel(encodeModel(model));
  const edited = await attempt(
    `operator set ${from} was kept`,
    { note: (text) => notes.push(text) },
    async () => {
      raiseOpset(copy, VARIANT_OPSET, await withObservedShapes(copy, await tensorTypes(copy), probe));
      notes.push(`operator set raised from ${from} to ${VARIANT_OPSET}`);
      return copy;
    },
  );
  return edited ?? model;
}

/** What `make` gives; undefined, with a note, where it refuses or ONNX Runtime does not take what it made. */
async function attempt<T>(
  otherwise: string,
  { note }: Pick<StepContext, 'note'>,
  make: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    const refused =
      error instanceof HoldfastError && ['compression-failed', 'model-load-failed'].includes(error.code);
    if (!refused) throw error;
    note(`${otherwise}: ${error.message}`);
    return undefined;
  }
}
