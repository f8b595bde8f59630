// The work of a compression job: for each profile asked for, its candidates are made and measured, one is chosen,
// and the variant is stored with how it was chosen. Invariant: what is stored already is not made again, so that
// the job can be cut off anywhere and run again from its start.

import type { ModelVersion } from '#protocol/api.ts';
import { canonicalJson } from '#protocol/canonical-json.ts';
import type { Candidate, DeviceTiming } from '#protocol/compression.ts';
import { describeError, errorCodeOf, HoldfastError } from '#protocol/errors.ts';
import type { GoldenTolerance } from '#protocol/model-contract.ts';
import type { DeviceProfile } from '#protocol/profile.ts';
import type { LiveEvents } from '../store/live-events.ts';
import { recipeInWords } from '../view/recipe-words.ts';
import { sizeInWords } from '../view/words.ts';
import { decide, frontInWords, type TimedTrial } from './decide.ts';
import type { DeviceTimer } from './device-timer.ts';
import { compressedTolerance, inspectGolden } from './golden-vectors.ts';
import { MAX_GOLDEN_BYTES } from './import-version.ts';
import type { JobContext } from './job-queue.ts';
import type { QueuedJob } from './job-store.ts';
import { JobSteps } from './job-steps.ts';
import { standsIn, type Machine } from './machine.ts';
import { profileByName, type Profiles } from './profiles.ts';
import { getVersion, insertVariant } from './store.ts';
import { putChoice, type MadeTrial } from './trial-store.ts';
import { STEPS_OF_ORIGINAL, STEPS_OF_RECIPE, Trials, type Trial, type TrialDeps } from './trials.ts';

export interface MakeVariantsDeps extends TrialDeps {
  readonly events: LiveEvents;
  readonly profiles: Profiles;
  readonly deviceTimer: DeviceTimer;
  readonly machine: Machine;
}

/**
 * Goes on with the other profiles where one gets nothing. Throws `compression-failed` then, with the front, or what
 * the datasets or the original fail with.
 */
export async function makeVariants(
  deps: MakeVariantsDeps,
  { model, version: number, request }: QueuedJob,
  context: JobContext,
): Promise<void> {
  const { signal } = context;
  const version = await getVersion(deps.store.db, model, number);
  const missing = request.profiles
    .filter((name) => !version.variants.some((variant) => variant.profile === name))
    .map((name) => profileByName(deps.profiles, name));
  if (missing.length === 0) return;
  const steps = new JobSteps(context, countSteps(missing));
  const evaluationSha256 = request.evaluationSha256 ?? version.evaluation?.datasetSha256 ?? null;
  const calibrationSha256 = request.calibrationSha256 ?? null;
  const trials = await Trials.open(deps, { version, calibrationSha256, evaluationSha256, signal, steps });
  const original = await trials.original();
  const fruitless: string[] = [];
  for (const profile of missing) {
    const made: Trial[] = [];
    for (const recipe of profile.compression.candidates) {
      made.push(recipe.kind === 'original' ? original : await trials.of(recipe));
      signal.throwIfAborted();
    }
    steps.next(`choosing for ${profile.name}`);
    const timed = await timeOnDevices(deps, version, profile, made, signal);
    const candidates = decide(profile, timed, standsIn(deps.machine, profile));
    await store(deps, version, profile, candidates, made);
    if (!candidates.some(isProposed)) fruitless.push(`for ${profile.name}: ${frontInWords(candidates)}`);
  }
  if (fruitless.length > 0) throw nothingProposed(fruitless);
}

function countSteps(profiles: readonly DeviceProfile[]): number {
  const recipes = profiles.flatMap(({ compression }) => compression.candidates);
  const made = new Set(
    recipes.filter(({ kind }) => kind !== 'original').map((recipe) => canonicalJson(recipe)),
  );
  return STEPS_OF_ORIGINAL + STEPS_OF_RECIPE * made.size + profiles.length;
}

/** Asks for one candidate after another, and no more once nobody answers. A candidate that fails there has failed. */
async function timeOnDevices(
  { deviceTimer }: MakeVariantsDeps,
  { contract, version }: ModelVersion,
  profile: DeviceProfile,
  trials: readonly Trial[],
  signal: AbortSignal,
): Promise<TimedTrial[]> {
  const timed: TimedTrial[] = [];
  let isAnswered = true;
  for (const trial of trials) {
    if ('failure' in trial || !isAnswered) {
      timed.push({ trial, device: null });
      continue;
    }
    const { recipe, precision, weights } = trial;
    try {
      const device: DeviceTiming | null = await deviceTimer.time({
        profile, version, precision, weights, contract, signal,
      }); // prettier-ignore
      isAnswered = device !== null;
      timed.push({ trial, device });
    } catch (error) {
      if (signal.aborted || errorCodeOf(error) === 'cancelled') throw error;
      timed.push({ trial: { recipe, precision, failure: describeError(error) }, device: null });
    }
  }
  return timed;
}

async function store(
  deps: MakeVariantsDeps,
  { model, version, contract }: ModelVersion,
  profile: DeviceProfile,
  candidates: readonly Candidate[],
  trials: readonly Trial[],
): Promise<void> {
  const { events, nowMs } = deps;
  const proposed = candidates.findIndex(isProposed);
  const trial = trials[proposed];
  const chosen = trial === undefined || 'failure' in trial ? null : trial;
  const tolerance = chosen && (await toleranceFor(deps, contract, profile, chosen));
  await deps.store.transaction(async (trx) => {
    const atMs = nowMs();
    await putChoice(trx, model, version, {
      profile: profile.name,
      decidedAtMs: atMs,
      candidates: [...candidates],
    });
    const about = `${model} version ${version} for ${profile.name}`;
    let summary = `${about}: no candidate is within the budgets`;
    if (chosen !== null && tolerance !== null) {
      const { precision, weights, recipe, evaluation, report, comparison } = chosen;
      const variant = { profile: profile.name, precision, weights, recipe, evaluation, report, comparison };
      await insertVariant(trx, model, version, { variant, tolerance }, atMs);
      summary = `${about}: ${recipeInWords(recipe)}, ${sizeInWords(weights.sizeBytes)}; ${candidates[proposed]?.why}`;
    }
    await events.append({ kind: 'model', subject: `${model}/${version}`, atMs, summary }, trx);
  });
}

async function toleranceFor(
  { blobs }: MakeVariantsDeps,
  contract: ModelVersion['contract'],
  profile: DeviceProfile,
  { precision }: MadeTrial,
): Promise<GoldenTolerance> {
  if (precision === 'original') return contract.golden.tolerance;
  const golden = inspectGolden(await blobs.bytes(contract.golden.sha256, MAX_GOLDEN_BYTES), contract);
  return compressedTolerance(contract, golden, profile);
}

function isProposed({ verdict }: Candidate): boolean {
  return verdict === 'proposed';
}

function nothingProposed(profiles: readonly string[]): HoldfastError {
  return new HoldfastError(
    'compression-failed',
    `no candidate is within the budgets ${profiles.join('; ')}`,
    {
      hint: 'choose another profile or a smaller model; the version shows all candidates with their numbers',
    },
  );
}
