// What operators do with rollouts. Invariants: a device is in at most one open rollout; a rollout begins
// only when every selected device's profile has a signed release; every change lands in the audit log.

import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { createRolloutSchema } from '#protocol/api.ts';
import { describeError, HoldfastError } from '#protocol/errors.ts';
import { DEFAULT_DEPLOYMENT_POLICY } from '#protocol/release.ts';
import type { RolloutPhase, RolloutPlan, Selector, Wave } from '#protocol/rollout.ts';
import type { Audit } from '../store/audit.ts';
import type { Store } from '../store/database.ts';
import type { LiveEvents } from '../store/live-events.ts';
import type { OrderGiver } from './controller.ts';
import { hasHappened, stepPhase, type RolloutEvent } from './phase-machine.ts';
import { assignWaves } from './plan.ts';
import type { RolloutReach } from './reach.ts';
import type { RolloutView } from './reconcile.ts';
import { skipReasonOf } from './skip-reason.ts';
import {
  busyDevices, insertRollout, listRollouts, reachesOf, rolloutById, rolloutIdByRequest, runningVersion, updateDevice, updateRollout,
} from './store.ts'; // prettier-ignore

export type CreateRolloutRequest = z.output<typeof createRolloutSchema>;

export interface RolloutServiceDependencies {
  readonly store: Store;
  readonly events: LiveEvents;
  readonly audit: Audit;
  readonly fleet: OrderGiver;
  /** Null when the version has no signed release for the profile. */
  readonly releaseOf: (model: string, version: number, profile: string) => Promise<object | null>;
  /** Wakes the controller. */
  readonly wake: () => void;
  readonly now: () => number;
}

const DEFAULT_WAVES: Wave[] = [
  { size: { count: 1 }, soakMs: 300_000 },
  { size: { percent: 10 }, soakMs: 600_000 },
  { size: { percent: 100 }, soakMs: 600_000 },
];
const DEFAULT_GATES: RolloutPlan['gates'] = {
  maxFailedPerWave: 0,
  deviceDeadlineMs: 24 * 3_600_000,
  onFailure: 'rollback',
};

export class RolloutService {
  readonly #deps: RolloutServiceDependencies;

  constructor(deps: RolloutServiceDependencies) {
    this.#deps = deps;
  }

  /**
   * Plans and, unless it waits for someone, begins. `assertMay` throws when the caller may not do so on this model and
   * these devices, which are the very ones it then is on. Errors: selector-empty, profile-unknown, conflict.
   */
  async create(
    request: CreateRolloutRequest,
    actor: string,
    assertMay: (reach: RolloutReach) => void = () => undefined,
  ): Promise<RolloutView> {
    const { store, now } = this.#deps;
    if (request.requestId !== undefined) {
      const known = await rolloutIdByRequest(store.db, request.requestId);
      if (known !== null) {
        const view = await this.get(known);
        assertMay(await this.reachOf(view));
        return view;
      }
    }
    const view = await this.#plan(request, `ro-${randomUUID().slice(0, 8)}`, now(), assertMay);
    await store.transaction(async (trx) => {
      const busy = await busyDevices(trx, view.devices.map((device) => device.deviceId)); // prettier-ignore
      const [first] = busy;
      if (first !== undefined) {
        throw new HoldfastError(
          'conflict',
          `device ${first[0]} is part of rollout ${first[1]}, which is still open`,
          {
            hint: 'wait for it, abort it, or select other devices',
          },
        );
      }
      await insertRollout(trx, view, request.requestId ?? null);
      await this.#told(
        trx,
        view.id,
        actor,
        'rollout.create',
        `${view.phase}: ${view.model} ${view.version} to ${view.devices.length} devices`,
      );
    });
    this.#deps.wake();
    return view;
  }

  async get(id: string): Promise<RolloutView> {
    const view = await rolloutById(this.#deps.store.db, id);
    if (view === null) {
      throw new HoldfastError('not-found', `there is no rollout ${id}`, {
        hint: 'list them to see their ids',
      });
    }
    return view;
  }

  async reachOf(view: RolloutView): Promise<RolloutReach> {
    const [reach] = await reachesOf(this.#deps.store.db, [view]);
    return reach ?? { model: view.model, labels: [] };
  }

  reachesOf(views: readonly RolloutView[]): Promise<RolloutReach[]> {
    return reachesOf(this.#deps.store.db, views);
  }

  list(limit = 200): Promise<RolloutView[]> {
    return listRollouts(this.#deps.store.db, limit);
  }

  start(id: string, actor: string): Promise<RolloutView> {
    return this.#move(id, 'start', actor);
  }

  pause(id: string, actor: string): Promise<RolloutView> {
    return this.#move(id, 'pause', actor);
  }

  abort(id: string, actor: string): Promise<RolloutView> {
    return this.#move(id, 'abort', actor);
  }

  rollback(id: string, actor: string): Promise<RolloutView> {
    return this.#move(id, 'rollback', actor);
  }

  /** Goes on. Devices that held the version get it directly: a person has decided. Failed ones try again. */
  async resume(id: string, actor: string): Promise<RolloutView> {
    const { store, fleet, now } = this.#deps;
    const before = await this.get(id);
    if (stepPhase(before.phase, 'resume') === null) return await this.#move(id, 'resume', actor);
    for (const device of before.devices) {
      if (device.state === 'held') {
        const { plan, model, version } = before;
        const policy = { ...plan.policy, mode: 'direct' as const };
        const change = await fleet.order(device.deviceId, { rolloutId: id, model, version, policy }).then(
          ({ seq }) => ({ seq, state: 'queued' as const, reason: null, startedAtMs: now() }),
          (error: unknown) => {
            const reason = skipReasonOf(error);
            if (reason === null) throw error;
            return { state: 'cancelled' as const, reason, detail: describeError(error) };
          },
        );
        await updateDevice(store.db, id, device.deviceId, change, now());
      } else if (['failed', 'rolled-back', 'cancelled'].includes(device.state)) {
        await updateDevice(
          store.db,
          id,
          device.deviceId,
          { seq: null, state: 'queued', reason: null, evidence: [] },
          now(),
        );
      }
    }
    return await this.#move(id, 'resume', actor);
  }

  async #move(id: string, event: RolloutEvent, actor: string): Promise<RolloutView> {
    const { store, now } = this.#deps;
    await store.transaction(async (trx) => {
      const view = await rolloutById(trx, id);
      if (view === null) throw new HoldfastError('not-found', `there is no rollout ${id}`);
      const phase = stepPhase(view.phase, event);
      if (phase === null && hasHappened(view.phase, event)) return;
      if (phase === null) throw wrongPhase(view, event);
      const reason = `${event} by ${actor}`;
      await updateRollout(trx, id, { phase, reason }, now());
      await this.#told(trx, id, actor, `rollout.${event}`, `${phase}: ${reason}`);
    });
    this.#deps.wake();
    return await this.get(id);
  }

  async #told(trx: Store['db'], id: string, actor: string, action: string, summary: string): Promise<void> {
    const { events, audit, now } = this.#deps;
    await audit.record({ actor, action, subject: id, detail: { summary } }, trx);
    await events.append({ kind: 'rollout', subject: id, atMs: now(), summary }, trx);
  }

  async #plan(
    request: CreateRolloutRequest,
    id: string,
    nowMs: number,
    assertMay: (reach: RolloutReach) => void,
  ): Promise<RolloutView> {
    const { model, version, selector } = request;
    const devices = await this.#select(selector);
    if (devices.length === 0) {
      throw new HoldfastError('selector-empty', 'no enrolled device matches the selector', {
        hint: 'list the devices and their labels, or leave the selector out for the whole fleet',
      });
    }
    assertMay({ model, labels: devices.map((device) => labelsFrom(device.json_labels)) });
    const profiles = [...new Set(devices.map((device) => device.profile))].sort();
    const releases = await Promise.all(
      profiles.map((profile) => this.#deps.releaseOf(model, version, profile)),
    );
    const missing = profiles.filter((_, index) => releases[index] === null);
    if (missing.length > 0) {
      throw new HoldfastError(
        'profile-unknown',
        `${model} ${version} has no signed release for ${missing.join(', ')}`,
        {
          hint: 'compress it for these profiles and sign it first',
        },
      );
    }
    const plan: RolloutPlan = {
      waves: request.waves ?? DEFAULT_WAVES,
      gates: { ...DEFAULT_GATES, ...definedOf(request.gates ?? {}) },
      policy: { ...DEFAULT_DEPLOYMENT_POLICY, ...definedOf(request.policy ?? {}) },
      approval: request.approval,
      startAtMs: request.startAtMs,
    };
    const waves = assignWaves(devices.map(({ id: deviceId, profile }) => ({ deviceId, profile })), plan.waves); // prettier-ignore
    return {
      id, model, version, plan, selector,
      phase: firstPhase(request),
      reason: null,
      wave: 0,
      soakUntilMs: null,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      devices: devices.map((device) => {
        const running = runningVersion(device.json_reported, model);
        return {
          deviceId: device.id, profile: device.profile, wave: waves.get(device.id) ?? 0, seq: null,
          state: 'queued' as const, reason: null, detail: null, fromVersion: running, evidence: [],
          rollbackState: null, startedAtMs: null, updatedAtMs: nowMs, running,
        };
      }),
    }; // prettier-ignore
  }

  async #select(selector: Selector) {
    const rows = await this.#deps.store.db
      .selectFrom('devices')
      .select(['id', 'profile', 'json_labels', 'json_reported'])
      .where('state', 'in', ['active', 'quarantined'])
      .orderBy('id')
      .execute();
    const unknown = (selector.devices ?? []).filter((id) => !rows.some((row) => row.id === id));
    if (unknown.length > 0)
      throw new HoldfastError('not-found', `there is no device ${unknown.slice(0, 5).join(', ')}`, {
        hint: 'list the devices to see their ids; those that are out, or wait for approval, get no orders',
      });
    return rows.filter(
      (row) =>
        (selector.devices === undefined || selector.devices.includes(row.id)) &&
        (selector.profiles === undefined || selector.profiles.includes(row.profile)) &&
        hasLabels(row.json_labels, selector.labels ?? {}),
    );
  }
}

function hasLabels(jsonLabels: string, wanted: Readonly<Record<string, string>>): boolean {
  const labels = new Map(Object.entries(labelsFrom(jsonLabels)));
  return Object.entries(wanted).every(([key, value]) => labels.get(key) === value);
}

function labelsFrom(jsonLabels: string): Record<string, string> {
  return JSON.parse(jsonLabels) as Record<string, string>;
}

function firstPhase(request: CreateRolloutRequest): RolloutPhase {
  if (request.draft) return 'draft';
  if (request.approval) return 'awaiting-approval';
  return request.startAtMs === null ? 'progressing' : 'scheduled';
}

/** Drops keys whose value is undefined, so that a spread cannot erase a default. */
function definedOf<T extends object>(partial: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(partial).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function wrongPhase(view: RolloutView, event: string): HoldfastError {
  return new HoldfastError('wrong-phase', `rollout ${view.id} is ${view.phase}; ${event} means nothing now`, {
    hint: 'see its phase and reason with rollout get',
  });
}
