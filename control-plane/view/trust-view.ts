// Who signs what, as rows for people: one for the command line and the console. Pure.

import { teamOfRole, type Repository, type TrustRole, type TrustStatus } from '#protocol/trust.ts';
import { durationInWords, type Tone } from './words.ts';

const DAY_MS = 86_400_000;
/** Of roles that people sign: time enough to come together. */
const SOON_MS = 30 * DAY_MS;

export interface TrustKeyRow {
  readonly keyId: string;
  readonly scheme: string;
  readonly whose: string;
}

export interface TrustRow {
  readonly role: string;
  readonly what: string;
  readonly version: number;
  /** `2 of 3`. */
  readonly signers: string;
  /** Who has the private keys. */
  readonly holder: 'control plane' | 'people' | 'both';
  readonly expires: string;
  readonly tone: Tone;
  readonly targets: number | null;
  /** Null when nothing waits. */
  readonly waits: string | null;
  readonly keys: readonly TrustKeyRow[];
}

export interface TrustView {
  readonly repositories: readonly { readonly name: string; readonly rows: readonly TrustRow[] }[];
  readonly keysAtRest: string;
  readonly advice: readonly string[];
}

export function trustView({ repositories, keysAreEncrypted, advice }: TrustStatus, nowMs: number): TrustView {
  return {
    repositories: repositories.map(({ repository, roles }) => ({
      name: repository,
      rows: roles.map((role) => rowOf(role, repository, nowMs)),
    })),
    keysAtRest: keysAreEncrypted
      ? 'Keys of the control plane are sealed by a passphrase.'
      : 'Keys of the control plane lie open in its data folder.',
    advice,
  };
}

function rowOf(role: TrustRole, repository: Repository, nowMs: number): TrustRow {
  const leftMs = role.expiresAtMs - nowMs;
  const holder = holderOf(role);
  return {
    role: role.role,
    what: repository === 'director' && role.role === 'targets' ? 'what each device should run' : whatOf(role),
    version: role.version,
    signers: `${role.threshold} of ${role.keys.length}`,
    holder,
    expires: leftMs <= 0 ? 'expired' : `in ${leftInWords(leftMs)}`,
    tone: leftMs <= 0 ? 'bad' : holder !== 'control plane' && leftMs < SOON_MS ? 'attention' : 'good',
    targets: role.targets,
    waits:
      role.staged === null ? null : `version ${role.staged.version}: ${role.staged.missing} more to sign`,
    keys: role.keys.map(({ keyId, scheme, owner, isHeld }) => ({
      keyId,
      scheme: scheme === 'ed25519' ? 'Ed25519' : 'ECDSA P-256',
      whose: owner === '' ? (isHeld ? 'control plane' : 'not named') : owner,
    })),
  };
}

function leftInWords(leftMs: number): string {
  const years = Math.floor(leftMs / (365 * DAY_MS));
  return years < 2 ? durationInWords(leftMs) : `${years} years`;
}

function holderOf({ keys }: TrustRole): TrustRow['holder'] {
  const held = keys.filter(({ isHeld }) => isHeld).length;
  if (held === 0) return 'people';
  return held === keys.length ? 'control plane' : 'both';
}

function whatOf({ role, models, authorSignature }: TrustRole): string {
  if (teamOfRole(role) !== null) {
    const asked =
      authorSignature === null || authorSignature === 'none'
        ? ''
        : `, author signature asked for at ${authorSignature}`;
    return `models ${models?.join(', ') ?? ''}${asked}`;
  }
  return WHAT[role] ?? '';
}

const WHAT: Readonly<Record<string, string>> = {
  root: 'which keys sign the other roles',
  targets: 'what may be installed, and teams',
  pipeline: 'variants of what authors signed',
  measurements: 'candidates that devices may time',
  snapshot: 'which versions belong together',
  timestamp: 'that this is the newest',
};
