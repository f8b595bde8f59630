// A serving path on scripted workers and a clock that the tests move.

import { onTestFinished } from 'vitest';
import type { SlotName } from '#agent/ports/journal.ts';
import { Serving } from '#agent/supervisor/serving/serving.ts';
import type {
  ServedOutcome,
  ServedSlot,
  ServingLimits,
  WorkerCrash,
} from '#agent/supervisor/serving/serving-types.ts';
import type { RunningRelease } from '#protocol/messages.ts';
import { ManualClock } from '#test/fakes/manual-clock.ts';
import { ScriptedRuntime, type ScriptedWorker } from '#test/fakes/scripted-runtime.ts';
import { digitsLoad } from '#test/fakes/worker-models.ts';

export interface ServingWorld {
  readonly serving: Serving;
  readonly runtime: ScriptedRuntime;
  readonly clock: ManualClock;
  readonly outcomes: ServedOutcome[];
  readonly crashes: WorkerCrash[];
  readonly quarantined: WorkerCrash[];
  /** The next coin: under 0.5 the active slot runs first. */
  coin: number;
  throttleEpoch: number;
  /** A fresh loaded slot with its scripted worker. */
  slot(slot: SlotName, version: number): Promise<ServedSlot & { readonly worker: ScriptedWorker }>;
}

export function servingWorld(limits: Partial<ServingLimits> = {}): ServingWorld {
  const runtime = new ScriptedRuntime();
  const clock = new ManualClock();
  const outcomes: ServedOutcome[] = [];
  const crashes: WorkerCrash[] = [];
  const quarantined: WorkerCrash[] = [];
  const load = digitsLoad();
  const listener = {
    outcome: (outcome: ServedOutcome) => void outcomes.push(outcome),
    crashed: (crash: WorkerCrash) => void crashes.push(crash),
    quarantined: (crash: WorkerCrash) => void quarantined.push(crash),
  };
  const world: ServingWorld = {
    serving: new Serving(
      {
        runtime,
        clock,
        chance: { uniform: () => world.coin, id: () => 'an-id' },
        throttleEpoch: () => world.throttleEpoch,
        listener,
      },
      limits,
    ),
    runtime,
    clock,
    outcomes,
    crashes,
    quarantined,
    coin: 0,
    throttleEpoch: 0,
    slot: async (slot, version) => ({
      slot,
      release: releaseOf(version),
      load,
      worker: await runtime.spawn(),
    }),
  };
  onTestFinished(() => world.serving[Symbol.asyncDispose]());
  return world;
}

export function releaseOf(version: number): RunningRelease {
  return {
    model: 'digits',
    version,
    profile: 'cpu-generic',
    weightsSha256: String(version % 10).repeat(64),
    sinceMs: 1,
  };
}
