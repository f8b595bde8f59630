// The goals of compression, each held against what was measured: met, missed by how much, or not measurable here.

import type { CompressCase, CompressResults, MadeSide, MeasuredModel } from './compress-case.ts';

export interface Goal {
  readonly goal: string;
  readonly verdict: 'met' | 'missed' | 'not measured';
  readonly detail: string;
}

const MEMORY_TIMES = 3;
/** Where less is allowed, what garbage collection leaves lying about is all that is seen. */
const LEAST_ALLOWED_BYTES = 8 * 1024 ** 2;
const SIZE_TIMES = 3.5;
const FASTER_TIMES = 1.1;
const REFIT_LOSS = 0.007;
const RAW_LOSS = 0.25;
const MIB = 1024 ** 2;
const RIVALS = ['u8s8 per-channel reduced', 'u8s8'];

export function goalsOf(results: CompressResults): Goal[] {
  const cases = results.models.flatMap((model) => model.cases);
  return [
    identity(cases),
    seconds(cases),
    memory(results),
    size(results.models),
    {
      goal: 'u8s8 on VNNI is 1.8 times as fast on convolutional models of 5 ms and more',
      verdict: 'not measured',
      detail: results.machine.hasVnni
        ? 'this processor has VNNI: see the latency column'
        : 'this processor has no VNNI',
    },
    ...results.models.map(faster),
    ...results.models.filter(({ model }) => model === 'fashion').map(pruning),
  ];
}

function identity(cases: readonly CompressCase[]): Goal {
  const compared = cases.filter(({ isIdentical }) => isIdentical !== null);
  const unlike = compared.filter(({ isIdentical }) => isIdentical === false);
  const alone = cases.filter(({ ours, theirs }) => ours.made && theirs?.made === false);
  return {
    goal: "exact mode: the reference's nodes and initializers, to the bit",
    verdict: verdictOf(compared, unlike.length === 0),
    detail: [
      `${compared.length - unlike.length} of ${compared.length}`,
      ...unlike.map(({ model, configuration, difference }) => `${model}, ${configuration}: ${difference}`),
      ...(alone.length > 0 ? [`in ${alone.length} more the reference fails and ours does not`] : []),
    ].join('; '),
  };
}

function seconds(cases: readonly CompressCase[]): Goal {
  const timed = cases.flatMap(({ secondsRatio, ...rest }) =>
    secondsRatio === null ? [] : [{ secondsRatio, ...rest }],
  );
  const slower = timed.filter(({ secondsRatio }) => secondsRatio > 1);
  const worst = timed.toSorted((a, b) => b.secondsRatio - a.secondsRatio)[0];
  return {
    goal: 'no slower than the Python quantizer from process start to file',
    verdict: verdictOf(timed, slower.length === 0),
    detail:
      worst === undefined
        ? 'no interpreter was given'
        : `${timed.length - slower.length} of ${timed.length}; at worst ${worst.secondsRatio.toFixed(2)} of its time (${worst.model}, ${worst.configuration})`,
  };
}

function memory({ models, floorBytes }: CompressResults): Goal {
  const taken = models.flatMap(({ model, sizeBytes, batchBytes, cases }) =>
    made(cases).flatMap(({ name, side: { peakBytes } }) => {
      const allowedBytes = MEMORY_TIMES * sizeBytes + batchBytes;
      if (peakBytes === null || floorBytes === null || allowedBytes < LEAST_ALLOWED_BYTES) return [];
      return [{ where: `${model}, ${name}`, tookBytes: peakBytes - floorBytes, allowedBytes }];
    }),
  );
  const within = taken.filter(({ tookBytes, allowedBytes }) => tookBytes <= allowedBytes);
  const worst = taken.toSorted((a, b) => b.tookBytes / b.allowedBytes - a.tookBytes / a.allowedBytes)[0];
  return {
    goal: `memory at most ${MEMORY_TIMES} times the model and one batch, above what a tiny model takes, where that is ${mib(LEAST_ALLOWED_BYTES)} and more`,
    verdict: verdictOf(taken, within.length === taken.length),
    detail:
      worst === undefined
        ? 'no model is large enough, or memory cannot be read'
        : `${within.length} of ${taken.length}; at most ${mib(worst.tookBytes)} of ${mib(worst.allowedBytes)} (${worst.where})`,
  };
}

function size(models: readonly MeasuredModel[]): Goal {
  const shrunk = models.flatMap(({ model, sizeBytes, cases }) =>
    cases.flatMap(({ configuration, ours }) =>
      configuration === 'u8s8' && ours.made ? [{ model, times: sizeBytes / ours.sizeBytes }] : [],
    ),
  );
  return {
    goal: `u8s8 is ${SIZE_TIMES} times smaller`,
    verdict: verdictOf(
      shrunk,
      shrunk.every(({ times }) => times >= SIZE_TIMES),
    ),
    detail: shrunk.map(({ model, times }) => `${model} ${times.toFixed(2)}`).join(', '),
  };
}

function faster({ model, score, cases }: MeasuredModel): Goal {
  const goal = `${model}: the best variant is ${FASTER_TIMES} times as fast as the reference's plain output, at no more loss`;
  const rival = RIVALS.flatMap((name) => {
    const theirs = cases.find(({ configuration }) => configuration === name)?.theirs;
    return theirs?.made === true ? [theirs] : [];
  })[0];
  if (rival === undefined) return { goal, verdict: 'not measured', detail: "no output of the reference's" };
  const float = { name: 'the float model', score, median: 1 };
  const best = [float, ...made(cases).map(({ name, side }) => ({ name, score: side.score, median: side.latency.median }))]
    .filter((candidate) => candidate.score >= Math.min(rival.score, score))
    .toSorted((a, b) => a.median - b.median)[0] ?? float; // prettier-ignore
  const times = rival.latency.median / best.median;
  return {
    goal,
    verdict: times >= FASTER_TIMES ? 'met' : 'missed',
    detail: `${times.toFixed(2)} times as fast: ${best.name} (${percent(best.score)} against ${percent(rival.score)})`,
  };
}

function pruning({ score, cases }: MeasuredModel): Goal {
  const lossOf = (name: string): number | null => {
    const found = made(cases).find((one) => one.name === name);
    return found === undefined ? null : score - found.side.score;
  };
  const [raw, refit] = [lossOf('prune 25 % raw'), lossOf('prune 25 % refit')];
  const text = (loss: number | null): string => (loss === null ? 'not measured' : points(loss));
  return {
    goal: `pruning 25 % of channels with refit costs at most ${points(REFIT_LOSS)} where raw pruning costs ${points(RAW_LOSS)}`,
    verdict: refit === null ? 'not measured' : refit <= REFIT_LOSS ? 'met' : 'missed',
    detail: `refit ${text(refit)}, raw ${text(raw)}`,
  };
}

function made(cases: readonly CompressCase[]): { name: string; side: MadeSide }[] {
  return cases.flatMap(({ configuration, ours }) => (ours.made ? [{ name: configuration, side: ours }] : []));
}

function verdictOf(measured: readonly unknown[], isMet: boolean): Goal['verdict'] {
  if (measured.length === 0) return 'not measured';
  return isMet ? 'met' : 'missed';
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB`;
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
const points = (share: number): string => `${(100 * share).toFixed(2)} points`;
