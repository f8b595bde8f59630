// Who signs what, what waits for whom, and what a person should do about it. Pure.

import {
  isAuthorRole,
  teamOfRole,
  type AuthorSignature,
  type TrustRole,
  type TrustStatus,
} from '#protocol/trust.ts';
import { patternsOf, teamDelegations } from './delegations.ts';
import { ROOT_ROLES, authorFieldsOf, authorityOf, delegationOf } from './documents.ts';
import type { RolesState } from './image-plan.ts';
import { isEnough } from './signatures.ts';
import { missingSignatures } from './staged-view.ts';

const DAY_MS = 86_400_000;
/** People are told this long before what they signed expires. */
const NOTICE_MS = 60 * DAY_MS;

/** Version and expiry of metadata that the control plane signs by itself. */
export interface OnlineRole {
  readonly version: number;
  readonly expiresAtMs: number;
}

export interface StatusInput {
  readonly image: RolesState;
  readonly director: RolesState;
  readonly imageOnline: Readonly<Record<'snapshot' | 'timestamp', OnlineRole>>;
  /** Over all devices. */
  readonly directorOnline: OnlineRole;
  readonly isHeld: (keyId: string) => boolean;
  readonly keysAreEncrypted: boolean;
  readonly nowMs: number;
}

export function trustStatus(input: StatusInput): TrustStatus {
  const image = imageRoles(input);
  const director = ROOT_ROLES.map((role) =>
    roleView(input, input.director, role, role === 'root' ? rootView(input.director) : input.directorOnline),
  );
  const { keysAreEncrypted } = input;
  return {
    repositories: [
      { repository: 'image', roles: image },
      { repository: 'director', roles: director },
    ],
    keysAreEncrypted,
    advice: [
      ...adviceOnKeys(image, director, keysAreEncrypted),
      ...unsignedTeams(input.image),
      ...image.flatMap((role) => adviceOnRole(role, '', input.nowMs)),
      ...director.flatMap((role) => adviceOnRole(role, ' --repository director', input.nowMs)),
    ],
  };
}

function imageRoles(input: StatusInput): TrustRole[] {
  const { image, imageOnline } = input;
  const delegated = image.published.get('targets')?.signed.delegations?.roles ?? [];
  return [
    roleView(input, image, 'root', rootView(image)),
    ...['targets', ...delegated.map(({ name }) => name)].map((role) =>
      roleView(input, image, role, publishedView(image, role)),
    ),
    roleView(input, image, 'snapshot', imageOnline.snapshot),
    roleView(input, image, 'timestamp', imageOnline.timestamp),
  ];
}

function roleView(
  { isHeld }: StatusInput,
  state: RolesState,
  role: string,
  { version, expiresAtMs }: OnlineRole,
): TrustRole {
  const targets = state.published.get('targets')?.signed;
  const authority = authorityOf(ROOT_ROLES.some((name) => name === role) ? state.root.signed : targets, role);
  const delegation = teamOfRole(role) === null ? undefined : delegationOf(targets, role);
  const staged = state.staged.get(role);
  const document = state.published.get(role)?.signed;
  return {
    role,
    version,
    expiresAtMs,
    threshold: authority?.threshold ?? 1,
    keys: (authority?.keys ?? []).map((key) => ({ ...key, isHeld: isHeld(key.keyId) })),
    models: delegation === undefined ? null : patternsOf(delegation),
    authorSignature: document !== undefined && isAuthorRole(role) ? policyOf(state, role) : null,
    targets: document === undefined ? null : Object.keys(document.targets).length,
    staged:
      staged === undefined
        ? null
        : { version: staged.signed.version, missing: missingSignatures(state, role) },
  };
}

function policyOf({ published }: RolesState, role: string): AuthorSignature {
  const targets = published.get('targets')?.signed;
  const policies = targets === undefined ? {} : authorFieldsOf(targets).authorSignatures;
  return Object.hasOwn(policies, role) ? (policies[role] ?? 'none') : 'none';
}

function rootView({ root }: RolesState): OnlineRole {
  return { version: root.signed.version, expiresAtMs: Date.parse(root.signed.expires) };
}

/** A team that has signed nothing yet is shown with the version that waits. */
function publishedView({ published, staged }: RolesState, role: string): OnlineRole {
  const signed = published.get(role)?.signed ?? staged.get(role)?.signed;
  return {
    version: signed?.version ?? 1,
    expiresAtMs: signed === undefined ? 0 : Date.parse(signed.expires),
  };
}

function adviceOnKeys(image: TrustRole[], director: TrustRole[], keysAreEncrypted: boolean): string[] {
  const isOpen = (roles: TrustRole[], role: string) =>
    roles.some((of) => of.role === role && of.keys.filter(({ isHeld }) => isHeld).length >= of.threshold);
  const advice: string[] = [];
  if (!keysAreEncrypted) {
    advice.push('Private keys lie open in the data folder: set HOLDFAST_TRUST_PASSPHRASE_FILE to seal them.');
  }
  if (isOpen(image, 'root') || isOpen(image, 'targets')) {
    advice.push(
      'The control plane can sign what authors should: `holdfast trust init` takes root and targets out.',
    );
  } else if (isOpen(director, 'root')) {
    advice.push('The control plane holds the root of the Director: `holdfast trust init` takes it out.');
  }
  return advice;
}

function unsignedTeams({ published }: RolesState): string[] {
  const targets = published.get('targets')?.signed;
  return teamDelegations(targets)
    .map(({ name }) => name)
    .filter((role) => !isEnough(authorityOf(targets, role), published.get(role)?.signatures ?? []))
    .map((role) => `Devices refuse the models of ${role} until its people sign what waits for them.`);
}

function adviceOnRole(
  { role, staged, keys, expiresAtMs, version }: TrustRole,
  option: string,
  nowMs: number,
): string[] {
  const advice: string[] = [];
  if (staged !== null) {
    const missing = `${staged.missing} ${staged.missing === 1 ? 'signature' : 'signatures'}`;
    advice.push(
      staged.missing === 0
        ? `${role} version ${staged.version} goes out with the ${role === 'root' ? 'targets that wait' : 'root that waits'}.`
        : `${role} version ${staged.version} waits for ${missing}: \`holdfast trust sign ${role}${option}\`.`,
    );
  }
  if (staged === null && !keys.some(({ isHeld }) => isHeld) && expiresAtMs - nowMs < NOTICE_MS) {
    const when = new Date(expiresAtMs).toISOString().slice(0, 10);
    advice.push(
      `${role} version ${version} expires on ${when}: renew it with \`holdfast trust renew ${role}${option}\`.`,
    );
  }
  return advice;
}
