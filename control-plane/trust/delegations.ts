// What the Image repository's targets delegate: each team its models, then the pipeline every variant, then
// measurements. Pure. Invariant: a lookup here finds what a TUF client finds (TUF section 5.6.7).

import type { TrustKey } from '#protocol/trust.ts';
import { MEASUREMENTS_ROLE, PIPELINE_ROLE, isModelOf, teamOfRole } from '#protocol/trust.ts';
import {
  delegationOf,
  listedKey,
  type Delegation,
  type Delegations,
  type TargetEntry,
  type TargetsDocument,
} from './documents.ts';

const PIPELINE_PATHS = ['*/*/*.json'];
const MEASUREMENT_PATHS = ['*/*/candidates/*.json'];

/** What a team may sign of the models of a pattern. */
export function teamPaths(patterns: readonly string[]): string[] {
  return patterns.flatMap((pattern) => [`${pattern}/*/*.json`, `${pattern}/*/source/*.json`]);
}

/** The patterns back from a team's delegation. */
export function patternsOf({ paths }: Delegation): string[] {
  return [...new Set(paths.map((path) => path.slice(0, path.indexOf('/'))))];
}

/** Teams in the order of trust. */
export function teamDelegations(targets: TargetsDocument | undefined): Delegation[] {
  return (targets?.delegations?.roles ?? []).filter(({ name }) => teamOfRole(name) !== null);
}

/** The first team that a model is of. */
export function teamDelegationOf(
  targets: TargetsDocument | undefined,
  model: string,
): Delegation | undefined {
  return teamDelegations(targets).find((team) =>
    patternsOf(team).some((pattern) => isModelOf(pattern, model)),
  );
}

/** Targets with the roles that the control plane signs; those whose key is null are left out. */
export function controlPlaneDelegations(
  targets: TargetsDocument,
  keys: { readonly pipeline: TrustKey | null; readonly measurements: TrustKey },
): TargetsDocument {
  const own = (name: string, key: TrustKey, paths: string[]): SignedDelegation => ({
    delegation: { name, keyids: [key.keyId], threshold: 1, terminating: false, paths },
    keys: [key],
  });
  const added = [
    ...(keys.pipeline === null ? [] : [own(PIPELINE_ROLE, keys.pipeline, PIPELINE_PATHS)]),
    own(MEASUREMENTS_ROLE, keys.measurements, MEASUREMENT_PATHS),
  ];
  return added.reduce(withDelegation, targets);
}

export interface SignedDelegation {
  readonly delegation: Delegation;
  readonly keys: readonly TrustKey[];
}

/** In place of the role's delegation before, or a new team after the other teams, or last. */
export function withDelegation(
  targets: TargetsDocument,
  { delegation, keys }: SignedDelegation,
): TargetsDocument {
  const present = targets.delegations?.roles ?? [];
  const isTeam = teamOfRole(delegation.name) !== null;
  const teams = present.filter(({ name }) => teamOfRole(name) !== null);
  const others = present.filter(({ name }) => teamOfRole(name) === null);
  const replaced = (list: readonly Delegation[]) =>
    list.some(({ name }) => name === delegation.name)
      ? list.map((role) => (role.name === delegation.name ? delegation : role))
      : [...list, delegation];
  const roles = isTeam ? [...replaced(teams), ...others] : [...teams, ...inOrder(replaced(others))];
  const listed = Object.fromEntries(keys.map((key) => [key.keyId, listedKey(key)]));
  return { ...targets, delegations: pruned({ keys: { ...targets.delegations?.keys, ...listed }, roles }) };
}

export function withoutDelegation(targets: TargetsDocument, role: string): TargetsDocument {
  const { keys, roles } = targets.delegations ?? { keys: {}, roles: [] };
  return { ...targets, delegations: pruned({ keys, roles: roles.filter(({ name }) => name !== role) }) };
}

function inOrder(roles: readonly Delegation[]): Delegation[] {
  const order = [PIPELINE_ROLE, MEASUREMENTS_ROLE];
  return roles.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

/** Without keys that no role names. */
function pruned({ keys, roles }: Delegations): Delegations {
  const named = new Set(roles.flatMap(({ keyids }) => keyids));
  return { keys: Object.fromEntries(Object.entries(keys).filter(([keyId]) => named.has(keyId))), roles };
}

/** The role that a client would take a target from, and what it says; null when there is none. */
export function lookUp(
  roles: ReadonlyMap<string, TargetsDocument>,
  path: string,
): { readonly role: string; readonly entry: TargetEntry } | null {
  const delegated = roles.get('targets')?.delegations?.roles ?? [];
  const order = ['targets', ...delegated.filter((role) => covers(role, path)).map(({ name }) => name)];
  for (const role of order) {
    const entry = entryIn(roles.get(role), path);
    if (entry !== undefined) return { role, entry };
  }
  return null;
}

export function entryIn(document: TargetsDocument | undefined, path: string): TargetEntry | undefined {
  return document !== undefined && Object.hasOwn(document.targets, path) ? document.targets[path] : undefined;
}

export function covers({ paths }: Pick<Delegation, 'paths'>, path: string): boolean {
  return paths.some((pattern) => {
    const [wanted, given] = [pattern.split('/'), path.split('/')];
    return wanted.length === given.length && wanted.every((part, index) => isMatch(part, given[index] ?? ''));
  });
}

/** One star a part at most. */
function isMatch(pattern: string, part: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === part;
  const [start, end] = [pattern.slice(0, star), pattern.slice(star + 1)];
  return part.length >= start.length + end.length && part.startsWith(start) && part.endsWith(end);
}

/** Whether a role that is delegated is the pipeline. */
export function hasPipeline(targets: TargetsDocument | undefined): boolean {
  return delegationOf(targets, PIPELINE_ROLE) !== undefined;
}
