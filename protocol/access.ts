// Who may do what: roles, each with what the one before it may, on everything or narrowed to teams and to a group
// of devices. Pure.

import { z } from 'zod';
import { teamNameSchema } from './identifiers.ts';

/** Each role may do what those before it may. */
export const ACCESS_ROLES = ['viewer', 'operator', 'releaser', 'admin'] as const;
export const accessRoleSchema = z.enum(ACCESS_ROLES);
export type AccessRole = z.infer<typeof accessRoleSchema>;

const MAX_LABELS = 64;
/** Labels of a device, or those that it must carry. */
export const labelsSchema = z
  .record(z.string().min(1).max(63), z.string().max(63))
  .refine((labels) => Object.keys(labels).length <= MAX_LABELS, `more than ${MAX_LABELS} labels`);

/** A role, on everything when neither teams nor a group narrow it. */
export const grantSchema = z.strictObject({
  role: accessRoleSchema,
  /** Models of these teams only. */
  teams: z.array(teamNameSchema).min(1).max(50).optional(),
  /** Devices that carry all of these labels only. */
  group: labelsSchema.refine((labels) => Object.keys(labels).length > 0, 'a group needs a label').optional(),
});
export type Grant = z.infer<typeof grantSchema>;
export const grantsSchema = z.array(grantSchema).min(1).max(32);

/** What an action is on; a part left out is not touched by it. */
export interface AccessTarget {
  /** The team of the model; null when no team has it. */
  readonly team?: string | null;
  /** Labels of the device. */
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * True when one grant has the role and covers the target. A narrowed grant is good only where something it names is
 * touched, and all that it names of what is touched must match: for nothing that has no team and no device.
 */
export function mayAct(grants: readonly Grant[], role: AccessRole, target: AccessTarget = {}): boolean {
  return grants.some((grant) => hasRole(grant, role) && covers(grant, target));
}

/** True when some grant has the role, on whatever it may be narrowed to. */
export function mayActSomewhere(grants: readonly Grant[], role: AccessRole): boolean {
  return grants.some((grant) => hasRole(grant, role));
}

/** True when `wanted` allows nothing that `held` does not allow. */
export function isWithin(wanted: readonly Grant[], held: readonly Grant[]): boolean {
  return wanted.every((one) => held.some((mine) => hasRole(mine, one.role) && reachesAsFar(mine, one)));
}

/** The highest role of some grants, on whatever it is narrowed to. */
export function highestRole(grants: readonly Grant[]): AccessRole {
  return ACCESS_ROLES.findLast((role) => mayActSomewhere(grants, role)) ?? 'viewer';
}

function hasRole(grant: Grant, role: AccessRole): boolean {
  return ACCESS_ROLES.indexOf(grant.role) >= ACCESS_ROLES.indexOf(role);
}

function covers({ teams, group }: Grant, { team, labels }: AccessTarget): boolean {
  if (teams === undefined && group === undefined) return true;
  const onTeam = teams !== undefined && team !== undefined;
  const onDevice = group !== undefined && labels !== undefined;
  if (onTeam && (team === null || !teams.includes(team))) return false;
  if (onDevice && !Object.entries(group).every(([key, value]) => labels[key] === value)) return false;
  return onTeam || onDevice;
}

/** Names must be the same: one more would also open what only that name touches. */
function reachesAsFar(mine: Grant, wanted: Grant): boolean {
  if (mine.teams === undefined && mine.group === undefined) return true;
  if ((mine.teams === undefined) !== (wanted.teams === undefined)) return false;
  if ((mine.group === undefined) !== (wanted.group === undefined)) return false;
  const { group } = wanted;
  return (
    (wanted.teams ?? []).every((team) => mine.teams?.includes(team) === true) &&
    Object.entries(mine.group ?? {}).every(([key, value]) => group?.[key] === value)
  );
}
