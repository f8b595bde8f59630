// What a rollout is on: its model, and the labels of all its devices. Invariant: somebody whose grants are narrowed sees
// and steers a rollout only when they cover its model on every one of its devices. Pure.

import type { AccessRole } from '#protocol/access.ts';
import { HoldfastError } from '#protocol/errors.ts';
import type { Labels, Permission } from '../http/permission.ts';

export interface RolloutReach {
  readonly model: string;
  readonly labels: readonly Labels[];
}

export function coversReach(
  permission: Permission,
  role: AccessRole,
  { model, labels }: RolloutReach,
): boolean {
  if (permission.may(role)) return true;
  return labels.length > 0 && labels.every((of) => permission.may(role, { model, labels: of }));
}

/** Throws `forbidden`. */
export function requireReach(permission: Permission, role: AccessRole, reach: RolloutReach): void {
  if (coversReach(permission, role, reach)) return;
  throw new HoldfastError(
    'forbidden',
    `this needs the role ${role} for ${reach.model} on every device of the rollout`,
    {
      hint: 'select devices that your grants cover; GET /api/v1/session says which those are',
    },
  );
}
