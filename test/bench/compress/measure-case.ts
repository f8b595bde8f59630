// Makes one model's variant in one configuration, ours and the reference's in turn, and has both judged.

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CompressCase, Side } from './compress-case.ts';
import type { Configuration } from './configurations.ts';
import { differenceBetween } from './identical.ts';
import type { Judge } from './judge/judge.ts';
import type { Measured } from './measured-process.ts';
import { runOurs, runReference, type Job } from './quantizers.ts';

export interface CaseOptions {
  readonly model: string;
  readonly judge: Judge;
  readonly folder: string;
  readonly samples: string;
  readonly python: string | null;
  readonly rounds: number;
}

/** Sides alternate, so that a machine that slows down slows both. */
export async function measureCase(configuration: Configuration, options: CaseOptions): Promise<CompressCase> {
  const { judge, folder, samples, python } = options;
  const { name, reference, isExact } = configuration;
  const file = name.replaceAll(/[^a-z0-9]+/g, '-');
  const job = (side: string): Job => ({
    model: judge.opened.modelPath,
    samples,
    out: join(folder, `${file}.${side}.onnx`),
  });
  const [oursJob, theirsJob] = [job('ours'), job('theirs')];
  const ours: Measured[] = [];
  const theirs: Measured[] = [];
  const hasPeer = reference !== null && python !== null;
  for (let round = 0; round < (hasPeer ? options.rounds : 1); round++) {
    ours.push(await runOurs(oursJob, configuration.options));
    if (hasPeer) theirs.push(await runReference(python, theirsJob, reference));
    if (hasFailed(ours) || hasFailed(theirs)) break; // there is nothing to compare times with
  }
  const oursSide = await sideOf(ours, oursJob.out, judge);
  const theirsSide = hasPeer ? await sideOf(theirs, theirsJob.out, judge) : null;
  const areBoth = oursSide.made && theirsSide?.made === true;
  const difference =
    isExact && areBoth ? differenceBetween(await readFile(oursJob.out), await readFile(theirsJob.out)) : null;
  return {
    model: options.model,
    configuration: name,
    ours: oursSide,
    theirs: theirsSide,
    secondsRatio: areBoth
      ? median(ours.map(({ seconds }, round) => seconds / (theirs[round]?.seconds ?? NaN)))
      : null,
    isIdentical: isExact && areBoth ? difference === null : null,
    difference,
  };
}

async function sideOf(runs: readonly Measured[], path: string, judge: Judge): Promise<Side> {
  const failed = runs.find(({ code }) => code !== 0);
  if (failed !== undefined) return { made: false, why: reasonIn(failed.complaint) };
  try {
    const peaks = runs.flatMap(({ peakBytes }) => (peakBytes === null ? [] : [peakBytes]));
    return {
      made: true,
      seconds: median(runs.map(({ seconds }) => seconds)),
      peakBytes: peaks.length === 0 ? null : Math.max(...peaks),
      sizeBytes: (await stat(path)).size,
      ...(await judge.judge(path)),
    };
  } catch (error) {
    return { made: false, why: `written, but: ${error instanceof Error ? error.message : String(error)}` };
  }
}

const hasFailed = (runs: readonly Measured[]): boolean => runs.some(({ code }) => code !== 0);

/** Our own complaint, or the last line, which is where Python says it. */
function reasonIn(complaint: string): string {
  const lines = complaint.trim().split('\n');
  return lines.find((line) => line.startsWith('holdfast: ')) ?? lines.at(-1) ?? '';
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
