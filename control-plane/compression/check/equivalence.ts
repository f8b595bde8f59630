// Whether an edit that must not change what a model says kept its word: both models run on the same inputs, and
// every output must have the same type, shape and, within what reordered float sums may differ, values.

import { Tensor, type InferenceSession } from 'onnxruntime-node';
import { HoldfastError } from '#protocol/errors.ts';
import { openSession, runModel } from '../ort-session.ts';
import type { TensorFeed } from '../tensor-feed.ts';

/** A value may differ by `absolute` plus `relative` times the largest magnitude of its output. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** What folding constants and reordering sums costs float32 in practice, with room. */
export const REORDERED_SUMS: Tolerance = { relative: 1e-4, absolute: 1e-6 };

/** Four steps of the last place of float16. */
const HALF_RELATIVE = 4 * 2 ** -10;

/**
 * Resolves where both models give the same for every sample, compared in float64; integers, booleans and texts
 * must be equal. Infinities and NaN must stand where they stood before. Throws `compression-failed` with the
 * output's name and its worst difference, `model-load-failed`, or `dataset-invalid` for no samples or bad ones.
 */
export async function checkEquivalent(
  before: Uint8Array,
  after: Uint8Array,
  samples: AsyncIterable<TensorFeed> | Iterable<TensorFeed>,
  tolerance: Tolerance,
): Promise<void> {
  await using original = await openSession(before, { optimise: false });
  await using edited = await openSession(after, { optimise: false });
  const opaque = original.session.outputMetadata.find((value) => !value.isTensor);
  if (opaque !== undefined) throw differs(opaque.name, 'it is no tensor, and cannot be compared');
  let seen = 0;
  for await (const sample of samples) {
    seen += 1;
    const expected = await runModel(original.session, sample);
    const actual = await runModel(edited.session, sample);
    for (const name of original.session.outputNames)
      compareOutput(name, expected[name], actual[name], tolerance);
  }
  if (seen === 0)
    throw new HoldfastError('dataset-invalid', 'there is no sample to compare the edited model on');
}

type OrtValue = InferenceSession.OnnxValueMapType[string] | undefined;

function compareOutput(name: string, before: OrtValue, after: OrtValue, tolerance: Tolerance): void {
  if (!(before instanceof Tensor) || !(after instanceof Tensor)) throw differs(name, 'it is gone');
  const [was, is] = [before, after].map(({ type, dims }) => `${type} [${dims.join(', ')}]`);
  if (was !== is) throw differs(name, `it was ${was} and is ${is}`);
  const expected = before.data as ArrayLike<Value>;
  const actual = after.data as ArrayLike<Value>;
  const allowed = allowedDifference(before.type, expected, tolerance);
  let worst = 0;
  let at = 0;
  for (let index = 0; index < expected.length; index++) {
    const difference = differenceOf(expected[index], actual[index]);
    if (difference <= worst) continue;
    worst = difference;
    at = index;
  }
  if (worst <= allowed) return;
  throw differs(
    name,
    `value ${at} was ${String(expected[at])} and is ${String(actual[at])}, ${worst} apart where ${allowed} may be`,
  );
}

function allowedDifference(type: Tensor.Type, expected: ArrayLike<Value>, tolerance: Tolerance): number {
  if (type !== 'float32' && type !== 'float64' && type !== 'float16') return 0;
  const relative = type === 'float16' ? Math.max(HALF_RELATIVE, tolerance.relative) : tolerance.relative;
  return tolerance.absolute + relative * magnitudeOf(expected);
}

type Value = number | bigint | string | undefined;

function magnitudeOf(values: ArrayLike<Value>): number {
  let magnitude = 0;
  for (let index = 0; index < values.length; index++) {
    const size = Math.abs(Number(values[index]));
    if (Number.isFinite(size) && size > magnitude) magnitude = size;
  }
  return magnitude;
}

/** Infinity where one of them is not a finite number and the other is not the same. */
function differenceOf(expected: Value, actual: Value): number {
  if (Object.is(expected, actual)) return 0;
  if (typeof expected !== 'number' || typeof actual !== 'number') return expected === actual ? 0 : Infinity;
  const difference = Math.abs(expected - actual);
  return Number.isFinite(difference) ? difference : Infinity;
}

function differs(name: string, how: string): HoldfastError {
  return new HoldfastError(
    'compression-failed',
    `the edited model is not the same at output "${name}": ${how}`,
    {
      hint: 'compress the model as it is (exact), and report it: the edit is at fault',
    },
  );
}
