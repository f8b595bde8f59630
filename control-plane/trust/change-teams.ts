// Changes to what targets delegate to teams and to the pipeline. Pure. Invariants: no model is of two teams; nothing
// that was signed falls out of what its signer may sign; under the strict policy releases pass on to their authors.

import { HoldfastError } from '#protocol/errors.ts';
import { PIPELINE_ROLE, isModelOf, teamRole, type TrustChange } from '#protocol/trust.ts';
import { assertSigners } from './change-signers.ts';
import {
  covers,
  entryIn,
  patternsOf,
  teamDelegationOf,
  teamDelegations,
  teamPaths,
  withDelegation,
  withoutDelegation,
} from './delegations.ts';
import {
  authorFieldsOf,
  authorityOf,
  delegationOf,
  type Authority,
  type Delegation,
  type TargetsDocument,
} from './documents.ts';
import { emptyTargets, type Edits } from './image-plan.ts';
import { modelOfPath } from './image-targets.ts';

type Roles = ReadonlyMap<string, TargetsDocument>;
type TeamChange = Extract<TrustChange, { kind: 'team' }>;

export function withTeam(roles: Roles, change: TeamChange): Edits {
  const role = teamRole(change.team);
  assertSigners(role, change);
  const targets = targetsOf(roles);
  assertModels(targets, role, change.models);
  const delegation: Delegation = {
    name: role,
    keyids: change.keys.map(({ keyId }) => keyId),
    threshold: change.threshold,
    terminating: false,
    paths: teamPaths([...new Set(change.models)]),
  };
  const left = Object.keys(roles.get(role)?.targets ?? {}).find((path) => !covers(delegation, path));
  if (left !== undefined && delegationOf(targets, role) !== undefined) {
    throw conflict(`${role} has signed ${left}, which these models leave out`, 'Keep the model in the team.');
  }
  const delegated = withDelegation(targets, { delegation, keys: change.keys });
  const policies = { ...authorFieldsOf(targets).authorSignatures, [role]: change.authorSignature };
  return new Map([['targets', withPolicies(delegated, policies)]]);
}

export function withoutTeam(roles: Roles, team: string): Edits {
  const role = teamRole(team);
  const targets = targetsOf(roles);
  if (delegationOf(targets, role) === undefined) {
    throw new HoldfastError('not-found', `there is no team ${team}`, {
      hint: '`holdfast trust status` lists the teams.',
    });
  }
  const count = Object.keys(roles.get(role)?.targets ?? {}).length;
  if (count > 0) {
    throw conflict(
      `team ${team} has signed ${count} ${count === 1 ? 'target' : 'targets'}, which devices would lose`,
      'Give the team other keys instead.',
    );
  }
  const { [role]: _, ...policies } = authorFieldsOf(targets).authorSignatures;
  return new Map([['targets', withPolicies(withoutDelegation(targets, role), policies)]]);
}

/** A team with other signers. Errors: `not-found`. */
export function withTeamSigners(
  roles: Roles,
  role: string,
  change: (signers: Authority) => Authority,
): Edits {
  const targets = targetsOf(roles);
  const delegation = delegationOf(targets, role);
  const signers = authorityOf(targets, role);
  if (delegation === undefined || signers === null) {
    throw new HoldfastError('not-found', `there is no role ${role}`, {
      hint: '`holdfast trust status` lists the roles.',
    });
  }
  const { keys, threshold } = change(signers);
  const changed = { ...delegation, keyids: keys.map(({ keyId }) => keyId), threshold };
  return new Map([['targets', withDelegation(targets, { delegation: changed, keys })]]);
}

/** The strict policy: each release of the pipeline becomes one of its authors', for them to sign. */
export function withoutPipeline(roles: Roles): Edits {
  const targets = targetsOf(roles);
  if (delegationOf(targets, PIPELINE_ROLE) === undefined) return new Map();
  const next = new Map<string, TargetsDocument>([['targets', withoutDelegation(targets, PIPELINE_ROLE)]]);
  for (const [path, entry] of Object.entries(roles.get(PIPELINE_ROLE)?.targets ?? {})) {
    const role = teamDelegationOf(targets, modelOfPath(path))?.name ?? 'targets';
    const document = next.get(role) ?? roles.get(role) ?? emptyTargets();
    if (entryIn(document, path) !== undefined) continue;
    next.set(role, { ...document, targets: { ...document.targets, [path]: entry } });
  }
  return next;
}

export function targetsOf(roles: Roles): TargetsDocument {
  return roles.get('targets') ?? emptyTargets();
}

function withPolicies(targets: TargetsDocument, authorSignatures: Record<string, string>): TargetsDocument {
  return { ...targets, holdfast: { ...targets.holdfast, authorSignatures } };
}

function assertModels(targets: TargetsDocument, role: string, models: readonly string[]): void {
  for (const other of teamDelegations(targets)) {
    if (other.name === role) continue;
    for (const theirs of patternsOf(other)) {
      const mine = models.find((pattern) => overlap(pattern, theirs));
      if (mine === undefined) continue;
      throw conflict(
        `${mine} of ${role} and ${theirs} of ${other.name} share models`,
        'A model is of one team: take it from the other team first.',
      );
    }
  }
}

/** Whether a model can be of both patterns. */
function overlap(a: string, b: string): boolean {
  return isModelOf(a, b.replace(/\*$/, '')) || isModelOf(b, a.replace(/\*$/, ''));
}

function conflict(message: string, hint: string): HoldfastError {
  return new HoldfastError('conflict', message, { hint });
}
