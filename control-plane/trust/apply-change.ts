// What a change makes of the documents of a repository. Pure. It says no where clients would be left with a role that
// nobody can sign, or with less than they had. Source: TUF 1.0.33, section 6.1 (key management).

import { HoldfastError } from '#protocol/errors.ts';
import {
  MEASUREMENTS_ROLE,
  PIPELINE_ROLE,
  teamOfRole,
  type Repository,
  type TrustChange,
  type TrustKey,
} from '#protocol/trust.ts';
import { isRootRole, signersOf, withSigners } from './change-root.ts';
import { assertSigners, withKey, withThreshold, withoutKey } from './change-signers.ts';
import { targetsOf, withTeam, withTeamSigners, withoutPipeline, withoutTeam } from './change-teams.ts';
import { controlPlaneDelegations } from './delegations.ts';
import { authorityOf, delegationOf, type Authority, type RootDocument, type RootRole } from './documents.ts';
import type { Edits } from './image-plan.ts';
import type { ImageDocuments } from './image-roles.ts';
import { withFloor, type CountedRelease } from './model-floors.ts';

export interface ChangeContext {
  readonly repository: Repository;
  readonly isHeld: (keyId: string) => boolean;
  /** For a role that gets a new key of the control plane. */
  readonly newKey: TrustKey;
  /** Releases of a model that are signed. */
  readonly releasesOf: (model: string) => readonly CountedRelease[];
}

/** Roles whose keys people may hold; the control plane signs all others by itself. */
const OFFLINE_ROLES = { image: ['root', 'targets'], director: ['root'] } as const;

/** Documents that differ; their versions and expiries are the caller's. Errors: `conflict`, `not-found`, `bad-request`, `key-invalid`. */
export function applyChange(documents: ImageDocuments, change: TrustChange, context: ChangeContext): Edits {
  const { root, roles } = documents;
  switch (change.kind) {
    case 'take-over':
      return rootEdit(takenOver(root, change, context));
    case 'add-key':
      assertOutside([change.key], context);
      return signersEdit(documents, change.role, context, (of) => withKey(change.role, of, change.key));
    case 'remove-key':
      return signersEdit(documents, change.role, context, (of) => withoutKey(change.role, of, change.keyId));
    case 'threshold':
      return signersEdit(documents, change.role, context, (of) =>
        withThreshold(change.role, of, change.threshold),
      );
    case 'rotate':
      return rotated(documents, change.role, context);
    case 'renew':
      return renewed(documents, change.role, context);
    default:
      if (context.repository === 'director') {
        throw refused(`the Director has no ${change.kind} to change`, 'Change the Image repository.');
      }
  }
  switch (change.kind) {
    case 'team':
      assertOutside(change.keys, context);
      return withTeam(roles, change);
    case 'remove-team':
      return withoutTeam(roles, change.team);
    case 'pipeline':
      return change.enabled ? withPipeline(documents, context.newKey) : withoutPipeline(roles);
    case 'floor': {
      const targets = targetsOf(roles);
      const { model, releaseCounter } = change;
      const next = withFloor(targets, model, releaseCounter, context.releasesOf(model));
      return next === targets ? new Map() : new Map([['targets', next]]);
    }
  }
}

function takenOver(
  root: RootDocument,
  change: Extract<TrustChange, { kind: 'take-over' }>,
  context: ChangeContext,
): RootDocument {
  const taken: [RootRole, Authority][] = [['root', change.root]];
  if (change.targets !== undefined) {
    if (context.repository === 'director') {
      throw refused('the control plane signs what the Director orders', 'Take over its root alone.');
    }
    taken.push(['targets', change.targets]);
  }
  for (const [role, signers] of taken) {
    assertOutside(signers.keys, context);
    assertSigners(role, signers);
  }
  return taken.reduce((next, [role, signers]) => withSigners(next, role, signers), root);
}

function signersEdit(
  { root, roles }: ImageDocuments,
  role: string,
  { repository }: ChangeContext,
  change: (signers: Authority) => Authority,
): Edits {
  if (repository === 'image' && teamOfRole(role) !== null) return withTeamSigners(roles, role, change);
  const offline: readonly string[] = OFFLINE_ROLES[repository];
  if (isRootRole(role) && offline.includes(role)) {
    return rootEdit(withSigners(root, role, change(signersOf(root, role))));
  }
  throw refused(`the control plane signs ${role} with one key of its own`, 'Rotate its key instead.');
}

function rotated({ root, roles }: ImageDocuments, role: string, context: ChangeContext): Edits {
  const { isHeld, newKey, repository } = context;
  const targets = targetsOf(roles);
  const signers = isRootRole(role) ? authorityOf(root, role) : authorityOf(targets, role);
  if (signers === null) {
    throw new HoldfastError('not-found', `the ${repository} repository has no role ${role}`, {
      hint: '`holdfast trust status` lists the roles.',
    });
  }
  if (!signers.keys.every(({ keyId }) => isHeld(keyId))) {
    throw conflict(`people sign ${role}, the control plane cannot make a key for them`);
  }
  const next = { keys: [newKey], threshold: 1 };
  return isRootRole(role)
    ? rootEdit(withSigners(root, role, next))
    : withTeamSigners(roles, role, () => next);
}

function renewed({ root, roles }: ImageDocuments, role: string, { repository }: ChangeContext): Edits {
  if (role === 'root') return rootEdit(root);
  const document = roles.get(role);
  const isDelegated = role === 'targets' || delegationOf(roles.get('targets'), role) !== undefined;
  if (document !== undefined && isDelegated) return new Map([[role, document]]);
  throw refused(
    `the control plane renews ${role} of the ${repository} repository by itself`,
    'There is nothing to do.',
  );
}

function withPipeline({ roles }: ImageDocuments, newKey: TrustKey): Edits {
  const targets = targetsOf(roles);
  if (delegationOf(targets, PIPELINE_ROLE) !== undefined) return new Map();
  const measurements = authorityOf(targets, MEASUREMENTS_ROLE)?.keys[0];
  if (measurements === undefined) throw new HoldfastError('internal', 'targets delegate no measurements');
  return new Map([['targets', controlPlaneDelegations(targets, { pipeline: newKey, measurements })]]);
}

function assertOutside(keys: readonly TrustKey[], { isHeld }: ChangeContext): void {
  const own = keys.find(({ keyId }) => isHeld(keyId));
  if (own === undefined) return;
  throw conflict(`${own.keyId} is a key of the control plane, which no person holds`);
}

function rootEdit(root: RootDocument): Edits {
  return new Map([['root', root]]);
}

function conflict(message: string): HoldfastError {
  return new HoldfastError('conflict', message, {
    hint: 'Make a key with `holdfast trust create-key` and add it.',
  });
}

function refused(message: string, hint: string): HoldfastError {
  return new HoldfastError('bad-request', message, { hint });
}
