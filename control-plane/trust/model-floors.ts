// The lowest release counter of each model that devices accept, as targets sign it, and the lowest version that has one
// so high. Pure. Neither ever falls.

import { HoldfastError } from '#protocol/errors.ts';
import { authorFieldsOf, type TargetsDocument } from './documents.ts';

/** A release of the model that is signed. */
export interface CountedRelease {
  readonly version: number;
  readonly releaseCounter: number;
}

/** Errors: `conflict` for a lower floor, `not-found` for one above every release. */
export function withFloor(
  targets: TargetsDocument,
  model: string,
  releaseCounter: number,
  releases: readonly CountedRelease[],
): TargetsDocument {
  const { floors, lowestVersions } = authorFieldsOf(targets);
  const present = ownValue(floors, model);
  if (present === releaseCounter) return targets;
  if (releaseCounter < present) {
    throw new HoldfastError(
      'conflict',
      `the floor of ${model} is ${present}; it cannot go down to ${releaseCounter}`,
      { hint: 'Sign a new version of the model with a higher release counter.' },
    );
  }
  const accepted = releases.filter((release) => release.releaseCounter >= releaseCounter);
  if (accepted.length === 0) {
    throw new HoldfastError(
      'not-found',
      `no signed release of ${model} has a counter of ${releaseCounter} or more`,
      { hint: 'Choose the counter of a signed release, or no device could run the model.' },
    );
  }
  const lowest = Math.min(...accepted.map(({ version }) => version));
  const raised = {
    floors: { ...floors, [model]: releaseCounter },
    lowestVersions: { ...lowestVersions, [model]: Math.max(lowest, ownValue(lowestVersions, model)) },
  };
  return { ...targets, holdfast: { ...targets.holdfast, ...raised } };
}

function ownValue(values: Readonly<Record<string, number>>, name: string): number {
  return Object.hasOwn(values, name) ? (values[name] ?? 0) : 0;
}
