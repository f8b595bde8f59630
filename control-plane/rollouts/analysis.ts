// The fleet's own statistics: the unit is the device, stratified by profile (DESIGN.md section 6).
// e-values of a metric are averaged within a cohort (the mean of e-values is an e-value) and e-BH at q
// decides over metric x cohort (Wang & Ramdas, "False discovery rate control with e-values", JRSS-B 2022).
// Wald's SPRT (1945) on device rollbacks halts a rollout whose devices turn back too often.

import type { Evidence, Gate } from '#protocol/evidence.ts';
import type { RolloutDevice } from '#protocol/rollout.ts';
import { sprtBounds, sprtLnRatio, type SprtPlan } from '#protocol/sprt.ts';

const FALSE_DISCOVERY_RATE = 0.05;
const ROLLBACK_SPRT: SprtPlan = { p0: 0.005, p1: 0.05, alpha: 0.01, beta: 0.05 };
/** Only these gates turn a rollout; disagreement holds for a person. */
const TURNING_GATES: readonly Gate[] = ['latency', 'errors'];

export interface CohortFinding {
  readonly gate: Gate;
  readonly profile: string;
  readonly devices: number;
  readonly log10E: number;
  readonly rejected: boolean;
}

/** One finding a metric and profile, with the e-BH decision over all of them together. */
export function cohortFindings(devices: readonly RolloutDevice[]): CohortFinding[] {
  const cohorts = new Map<string, { gate: Gate; profile: string; logs: number[] }>();
  for (const device of devices) {
    for (const evidence of lastByGate(device.evidence)) {
      if (evidence.log10E === undefined || !TURNING_GATES.includes(evidence.gate)) continue;
      const key = `${evidence.gate}/${device.profile}`;
      const cohort = cohorts.get(key) ?? { gate: evidence.gate, profile: device.profile, logs: [] };
      cohort.logs.push(evidence.log10E);
      cohorts.set(key, cohort);
    }
  }
  const means = [...cohorts.values()]
    .map(({ gate, profile, logs }) => ({ gate, profile, devices: logs.length, log10E: log10Mean(logs) }))
    .sort((a, b) => b.log10E - a.log10E);
  const total = means.length;
  let rejections = 0;
  means.forEach((mean, index) => {
    if (mean.log10E >= Math.log10(total / (FALSE_DISCOVERY_RATE * (index + 1)))) rejections = index + 1;
  });
  return means.map((mean, index) => ({ ...mean, rejected: index < rejections }));
}

/** True when the devices that turned back are, by SPRT, more than a good version's 0.5 %. */
export function rollbacksHalt(turnedBack: number, stayed: number): boolean {
  return sprtLnRatio(ROLLBACK_SPRT, turnedBack, turnedBack + stayed) >= sprtBounds(ROLLBACK_SPRT).upper;
}

function lastByGate(evidence: readonly Evidence[]): Evidence[] {
  return [...new Map(evidence.map((one) => [one.gate, one])).values()];
}

/** log10 of the mean of values given by their log10, without overflow. */
function log10Mean(logs: readonly number[]): number {
  const top = Math.max(...logs);
  const sum = logs.reduce((total, log) => total + 10 ** (log - top), 0);
  return top + Math.log10(sum / logs.length);
}
