// What the caller of one request may do, with models taken to their teams and devices to their labels. Invariant: a
// device that nobody knows has no labels, so that a narrowed grant cannot tell it from one it does not cover.

import type { Response } from 'express';
import { mayAct, type AccessRole, type AccessTarget, type Grant } from '#protocol/access.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { actorOf } from './auth.ts';

export type Labels = Readonly<Record<string, string>>;

/** The model, the device, or the labels of a device, that a request is on. */
export interface Scope {
  readonly model?: string | undefined;
  readonly deviceId?: string | undefined;
  readonly labels?: Labels | undefined;
}

export interface ScopeSource {
  /** Null when no team has the model. */
  teamOf(model: string): string | null;
  /** Null for an unknown device. */
  labelsOf(deviceId: string): Promise<Labels | null>;
}

/** For servers that know neither teams nor devices: narrowed grants are good for nothing there. */
const NOTHING_KNOWN: ScopeSource = { teamOf: () => null, labelsOf: () => Promise.resolve(null) };

export class Permission {
  readonly #grants: readonly Grant[];
  readonly #source: ScopeSource;

  constructor(grants: readonly Grant[], source: ScopeSource) {
    this.#grants = grants;
    this.#source = source;
  }

  /** Whether the caller may act on this; on everything, when nothing is named. */
  may(role: AccessRole, on: Omit<Scope, 'deviceId'> = {}): boolean {
    return mayAct(this.#grants, role, this.#target(on));
  }

  /** Throws `forbidden`. */
  require(role: AccessRole, on: Omit<Scope, 'deviceId'>): void {
    if (!this.may(role, on)) throw notCovered(role, on);
  }

  /** As `may`, with the device's labels looked up where that makes a difference. */
  async mayOn(role: AccessRole, { deviceId, ...on }: Scope): Promise<boolean> {
    if (deviceId === undefined || this.may(role)) return this.may(role, on);
    return this.may(role, { ...on, labels: (await this.#source.labelsOf(deviceId)) ?? {} });
  }

  /** Throws `forbidden`. */
  async requireOn(role: AccessRole, scope: Scope): Promise<void> {
    if (!(await this.mayOn(role, scope))) throw notCovered(role, scope);
  }

  #target({ model, labels }: Omit<Scope, 'deviceId'>): AccessTarget {
    return {
      ...(model === undefined ? {} : { team: this.#source.teamOf(model) }),
      ...(labels === undefined ? {} : { labels }),
    };
  }
}

export function setScopeSource(response: Response, source: ScopeSource): void {
  response.locals['scopes'] = source;
}

/** Of whoever makes the request; nobody may do anything. */
export function permissionOf(response: Response): Permission {
  const source = (response.locals['scopes'] as ScopeSource | undefined) ?? NOTHING_KNOWN;
  return new Permission(actorOf(response)?.grants ?? [], source);
}

function notCovered(role: AccessRole, { model, deviceId, labels }: Scope): HoldfastError {
  const on = [
    ...(model === undefined ? [] : [`the model ${model}`]),
    ...(deviceId === undefined ? [] : [`the device ${deviceId}`]),
    ...(deviceId === undefined && labels !== undefined ? ['every device that this is on'] : []),
  ];
  return new HoldfastError(
    'forbidden',
    `this needs the role ${role} for ${on.join(' and ') || 'everything'}`,
    {
      hint: 'GET /api/v1/session says what your grants are narrowed to',
    },
  );
}
