// The lowest release counter of each model that devices accept, as targets sign it. Pure. A floor never falls.

import { HoldfastError } from '#protocol/errors.ts';
import { authorFieldsOf, type TargetsDocument } from './documents.ts';

/** `highest` is of the signed releases. Errors: `conflict` for a lower floor, `not-found` for one above `highest`. */
export function withFloor(
  targets: TargetsDocument,
  model: string,
  releaseCounter: number,
  highest: number,
): TargetsDocument {
  const { floors } = authorFieldsOf(targets);
  const present = Object.hasOwn(floors, model) ? (floors[model] ?? 0) : 0;
  if (present === releaseCounter) return targets;
  if (releaseCounter < present) {
    throw new HoldfastError(
      'conflict',
      `the floor of ${model} is ${present}; it cannot go down to ${releaseCounter}`,
      { hint: 'Sign a new version of the model with a higher release counter.' },
    );
  }
  if (releaseCounter > highest) {
    throw new HoldfastError(
      'not-found',
      `no signed release of ${model} has a counter of ${releaseCounter} or more`,
      { hint: 'Choose the counter of a signed release, or no device could run the model.' },
    );
  }
  const raised = { ...floors, [model]: releaseCounter };
  return { ...targets, holdfast: { ...targets.holdfast, floors: raised } };
}
