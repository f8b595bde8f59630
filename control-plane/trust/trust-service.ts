// The key ceremony as the control plane offers it: what is signed by whom, changes, and people's signatures. Each
// mutation is told in the audit log and to those who watch.

import { HoldfastError } from '#protocol/errors.ts';
import {
  PIPELINE_ROLE,
  type Repository,
  type StagedRole,
  type TrustChange,
  type TrustOutcome,
  type TrustSignature,
  type TrustStatus,
} from '#protocol/trust.ts';
import type { Audit } from '../store/audit.ts';
import type { Store } from '../store/database.ts';
import type { LiveEvents } from '../store/live-events.ts';
import { applyChange } from './apply-change.ts';
import type { DirectorRoles } from './director-roles.ts';
import type { SignedDocument, SignedFile } from './documents.ts';
import type { RolesState } from './image-plan.ts';
import type { ImageRoles } from './image-roles.ts';
import { RoleKey } from './keys/role-key.ts';
import type { JsonObject } from './keys/signed-bytes.ts';
import type { Trust } from './open-trust.ts';
import { checkedSignature, stagedView } from './staged-view.ts';
import { trustStatus } from './trust-status.ts';

export interface TrustServiceDeps {
  readonly trust: Pick<Trust, 'image' | 'director' | 'keysAreEncrypted'>;
  readonly store: Store;
  readonly audit: Audit;
  readonly events: LiveEvents;
  readonly nowMs: () => number;
}

export class TrustService {
  readonly #deps: TrustServiceDeps;

  constructor(deps: TrustServiceDeps) {
    this.#deps = deps;
  }

  async status(): Promise<TrustStatus> {
    const { trust, nowMs } = this.#deps;
    const { image, director } = trust;
    const { snapshot, timestamp } = image.roles.online;
    return trustStatus({
      image: image.roles.state,
      director: director.roles.state,
      imageOnline: { snapshot: onlineView(snapshot), timestamp: onlineView(timestamp) },
      directorOnline: await director.online(),
      isHeld: (keyId) => image.roles.held.has(keyId) || director.roles.held.has(keyId),
      keysAreEncrypted: trust.keysAreEncrypted,
      nowMs: nowMs(),
    });
  }

  /** Errors: `conflict`, `not-found`, `bad-request`, `key-invalid`, `disk-full`. */
  async change(repository: Repository, change: TrustChange, actor: string): Promise<TrustOutcome> {
    const roles = this.#roles(repository);
    const before = roles.state.staged;
    const outcome = await this.#carryOut(repository, change);
    const dropped = droppedSignatures(before, roles.state.staged);
    const lost = dropped === 0 ? '' : `; signatures made before that count no longer: ${dropped}`;
    await this.#tell(actor, 'trust.change', {
      subject: subjectOf(repository, change),
      detail: { ...change },
      summary: `${repository}: ${change.kind} ${outcomeText(outcome)}${lost}`,
    });
    return outcome;
  }

  /** Errors: `not-found`. */
  staged(repository: Repository, role: string): StagedRole {
    return stagedView(repository, this.#roles(repository).state, role);
  }

  /** Errors: `not-found`, `signature-invalid`, `conflict`, `disk-full`. */
  async addSignature(
    repository: Repository,
    role: string,
    signature: TrustSignature,
    actor: string,
  ): Promise<TrustOutcome> {
    const roles = this.#roles(repository);
    const outcome = await roles.addSignature(role, (state) => checkedSignature(state, role, signature));
    await this.#tell(actor, 'trust.sign', {
      subject: `${repository}/${role}`,
      detail: { ...signature },
      summary: `${repository}: ${role} was signed with ${signature.keyid.slice(0, 12)} ${outcomeText(outcome)}`,
    });
    return outcome;
  }

  /** Errors: `not-found`. */
  async withdrawStaged(repository: Repository, role: string, actor: string): Promise<void> {
    const outcome = await this.#roles(repository).withdraw(role);
    await this.#tell(actor, 'trust.withdraw', {
      subject: `${repository}/${role}`,
      detail: {},
      summary: `${repository}: what waited for ${role} was withdrawn ${outcomeText(outcome)}`,
    });
  }

  /** A role as it is published, with its signatures. Errors: `not-found`. */
  metadata(repository: Repository, role: string): JsonObject {
    const { state } = this.#roles(repository);
    const { snapshot, timestamp } = this.#deps.trust.image.roles.online;
    const online = repository === 'image' ? { snapshot, timestamp } : {};
    const files = new Map<string, SignedFile>([
      ...Object.entries(online),
      ...state.published,
      ['root', state.root],
    ]);
    const file = files.get(role);
    if (file !== undefined)
      return { signatures: file.signatures.map((of) => ({ ...of })), signed: jsonOf(file.signed) };
    throw new HoldfastError('not-found', `the ${repository} repository has published no ${role}`, {
      hint: 'GET /api/v1/trust lists the roles.',
    });
  }

  #roles(repository: Repository): ImageRoles | DirectorRoles {
    const { image, director } = this.#deps.trust;
    return repository === 'image' ? image.roles : director.roles;
  }

  #carryOut(repository: Repository, change: TrustChange): Promise<TrustOutcome> {
    const { image } = this.#deps.trust;
    const isOnline = change.kind === 'renew' && (change.role === 'snapshot' || change.role === 'timestamp');
    if (repository === 'image' && isOnline) return image.roles.renewOnline();
    const roles = this.#roles(repository);
    const key = RoleKey.generate();
    const newKeyRole =
      change.kind === 'rotate' ? change.role : change.kind === 'pipeline' ? PIPELINE_ROLE : null;
    return roles.edit(
      (documents) =>
        applyChange(documents, change, {
          repository,
          isHeld: (keyId) => roles.held.has(keyId),
          newKey: key.trustKey,
          releasesOf: (model) => image.releasesOf(model),
        }),
      newKeyRole === null ? [] : [{ role: newKeyRole, key }],
    );
  }

  async #tell(
    actor: string,
    action: string,
    { subject, detail, summary }: { subject: string; detail: Record<string, unknown>; summary: string },
  ): Promise<void> {
    const { store, audit, events, nowMs } = this.#deps;
    await store.transaction(async (trx) => {
      await audit.record({ actor, action, subject, detail }, trx);
      await events.append({ kind: 'trust', subject, atMs: nowMs(), summary }, trx);
    });
  }
}

function subjectOf(repository: Repository, change: TrustChange): string {
  const part =
    'role' in change ? change.role : 'team' in change ? change.team : 'model' in change ? change.model : '';
  return part === '' ? repository : `${repository}/${part}`;
}

/** Of roles that wait before and after a change: what it builds on has lost its signatures. */
function droppedSignatures(before: RolesState['staged'], after: RolesState['staged']): number {
  return [...before].reduce((count, [role, { signatures }]) => {
    const kept = after.get(role)?.signatures ?? signatures;
    return count + signatures.filter(({ sig }) => !kept.some((of) => of.sig === sig)).length;
  }, 0);
}

function outcomeText({ published, staged }: TrustOutcome): string {
  const parts = [
    ...(published.length === 0 ? [] : [`published ${published.join(', ')}`]),
    ...(staged.length === 0 ? [] : [`waits for signatures: ${staged.join(', ')}`]),
  ];
  return parts.length === 0 ? '(nothing to do)' : `(${parts.join('; ')})`;
}

function onlineView({ signed }: SignedFile): { version: number; expiresAtMs: number } {
  return { version: signed.version, expiresAtMs: Date.parse(signed.expires) };
}

function jsonOf(signed: SignedDocument): JsonObject {
  return signed as JsonObject;
}
