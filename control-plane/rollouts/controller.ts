// Carries out what reconcile.ts says, rollout by rollout, from the database alone. INVARIANTS: one tick
// runs at a time; an order is given before its number is written, so a crash between the two gives the
// device the same release again under a higher number and loses nothing.

import { isDeploymentEnded } from '#protocol/deployment.ts';
import type { LiveEvent } from '#protocol/api.ts';
import { describeError } from '#protocol/errors.ts';
import type { DeploymentReport } from '#protocol/messages.ts';
import type { DeploymentPolicy } from '#protocol/release.ts';
import type { Store } from '../store/database.ts';
import type { LiveEvents } from '../store/live-events.ts';
import { stepPhase } from './phase-machine.ts';
import { reconcileRollout, type RolloutAction, type RolloutView } from './reconcile.ts';
import { skipReasonOf } from './skip-reason.ts';
import { orderRow, rolloutById, unsettledRolloutIds, updateDevice, updateRollout } from './store.ts';

export interface OrderGiver {
  order(
    deviceId: string,
    order: { rolloutId: string; model: string; version: number; policy: DeploymentPolicy },
  ): Promise<{ seq: number }>;
}

export interface ControllerDependencies {
  readonly store: Store;
  readonly fleet: OrderGiver;
  readonly events: LiveEvents;
  readonly now: () => number;
  /** Told when a rollout could not be worked on; it is tried again at the next tick. */
  readonly onError: (rolloutId: string, error: unknown) => void;
}

/** Rounds of one rollout within a tick; what is left waits for the next tick. */
const MAX_ROUNDS = 1_000;

export class RolloutController {
  readonly #deps: ControllerDependencies;
  #running: Promise<void> | null = null;
  #again = false;

  constructor(deps: ControllerDependencies) {
    this.#deps = deps;
  }

  /** Works on every unsettled rollout until nothing is left to do; calls during a tick lead to one more. */
  tick(): Promise<void> {
    if (this.#running !== null) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#untilQuiet().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Takes what a device reports of an order of a rollout; orders of others are none of its business. */
  async onDeployment(deviceId: string, report: DeploymentReport): Promise<void> {
    const { store, now } = this.#deps;
    const taken = await store.transaction(async (trx) => {
      const row = await orderRow(trx, report.rolloutId, deviceId, report.seq);
      if (row === null || isDeploymentEnded(row.state)) return false;
      const outcome = {
        evidence: report.evidence,
        reason: report.reason ?? null,
        detail: report.detail ?? null,
      };
      const change =
        row.which === 'forward' ? { ...outcome, state: report.state } : { rollbackState: report.state };
      await updateDevice(trx, report.rolloutId, deviceId, change, now());
      return true;
    });
    if (taken) await this.tick();
  }

  async #untilQuiet(): Promise<void> {
    do {
      this.#again = false;
      for (const id of await unsettledRolloutIds(this.#deps.store.db)) {
        try {
          await this.#work(id);
        } catch (error) {
          this.#deps.onError(id, error);
        }
      }
    } while (this.#again);
  }

  async #work(id: string): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const rollout = await rolloutById(this.#deps.store.db, id);
      if (rollout === null) return;
      const actions = reconcileRollout(rollout, this.#deps.now());
      if (actions.length === 0) return;
      for (const action of actions) await this.#carryOut(rollout, action);
    }
  }

  async #carryOut(rollout: RolloutView, action: RolloutAction): Promise<void> {
    const { store, now } = this.#deps;
    switch (action.kind) {
      case 'order':
        return await this.#order(rollout, action.deviceId, rollout.version, 'forward');
      case 'order-back':
        return await this.#order(rollout, action.deviceId, action.version, 'back');
      case 'expire': {
        const late = { state: 'failed', reason: 'timeout', detail: 'no ending before the deadline' } as const;
        const change = action.which === 'forward' ? late : { rollbackState: 'failed' as const };
        return await updateDevice(store.db, rollout.id, action.deviceId, change, now());
      }
      case 'strayed': {
        const change = {
          state: 'rolled-back',
          reason: 'local-rollback',
          detail: 'the device went back by itself or by hand',
        } as const;
        return await updateDevice(store.db, rollout.id, action.deviceId, change, now());
      }
      case 'nothing-to-go-back-to':
        return await updateDevice(
          store.db,
          rollout.id,
          action.deviceId,
          { rollbackState: 'cancelled' },
          now(),
        );
      case 'start-soak':
        return await this.#advance(
          rollout,
          { soakUntilMs: action.untilMs },
          `wave ${rollout.wave} is healthy and soaks`,
        );
      case 'next-wave':
        return await this.#advance(
          rollout,
          { wave: rollout.wave + 1, soakUntilMs: null },
          `wave ${rollout.wave + 1} begins`,
        );
      case 'phase': {
        const phase = stepPhase(rollout.phase, action.event);
        if (phase === null) return;
        return await this.#advance(rollout, { phase, reason: action.reason }, `${phase}: ${action.reason}`);
      }
    }
  }

  async #order(
    rollout: RolloutView,
    deviceId: string,
    version: number,
    which: 'forward' | 'back',
  ): Promise<void> {
    const { store, fleet, events, now } = this.#deps;
    const policy: DeploymentPolicy =
      which === 'back' ? { ...rollout.plan.policy, mode: 'direct' } : rollout.plan.policy;
    const request = { rolloutId: rollout.id, model: rollout.model, version, policy };
    let seq: number;
    try {
      ({ seq } = await fleet.order(deviceId, request));
    } catch (error) {
      return await this.#skip(rollout, deviceId, which, error);
    }
    await store.transaction(async (trx) => {
      const change =
        which === 'forward'
          ? { seq, state: 'queued' as const, startedAtMs: now() }
          : { rollbackSeq: seq, rollbackState: 'queued' as const, startedAtMs: now() };
      await updateDevice(trx, rollout.id, deviceId, change, now());
      const summary = `${deviceId} is told to run ${rollout.model} ${version} (order ${seq})`;
      await events.append(this.#event(rollout.id, summary), trx);
    });
  }

  /** Passes over a device that may have no orders; any other failure is thrown on. */
  async #skip(
    rollout: RolloutView,
    deviceId: string,
    which: 'forward' | 'back',
    error: unknown,
  ): Promise<void> {
    const { store, events, now } = this.#deps;
    const reason = skipReasonOf(error);
    if (reason === null) throw error;
    const change =
      which === 'forward'
        ? { state: 'cancelled' as const, reason, detail: describeError(error) }
        : { rollbackState: 'cancelled' as const };
    await store.transaction(async (trx) => {
      await updateDevice(trx, rollout.id, deviceId, change, now());
      await events.append(this.#event(rollout.id, `${deviceId} is passed over (${reason})`), trx);
    });
  }

  async #advance(
    rollout: RolloutView,
    change: Parameters<typeof updateRollout>[2],
    summary: string,
  ): Promise<void> {
    const { store, events, now } = this.#deps;
    await store.transaction(async (trx) => {
      await updateRollout(trx, rollout.id, change, now());
      await events.append(this.#event(rollout.id, summary), trx);
    });
  }

  #event(subject: string, summary: string): Omit<LiveEvent, 'id'> {
    return { kind: 'rollout', subject, atMs: this.#deps.now(), summary };
  }
}
