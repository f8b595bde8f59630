// The serving side of an agent with real processes and its real HTTP server, with a version in service: the digit
// reader, or a small model of a test's own.

import { setImmediate } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { systemChance, systemClock } from '#agent/adapters/system-clock.ts';
import { ProcessRuntime } from '#agent/adapters/worker-process.ts';
import { oipRoutes } from '#agent/http/oip.ts';
import { LocalServer } from '#agent/http/server.ts';
import type { LoadRequest } from '#agent/ports/runtime.ts';
import { Serving } from '#agent/supervisor/serving/serving.ts';
import { digitsLoad } from '#test/fakes/worker-models.ts';
import { keepingLogger } from '#test/fakes/silent-logger.ts';

/** A worker that says nothing for this long hangs. */
const HANG_MS = 6_000;

export interface DeviceWorld extends AsyncDisposable {
  readonly runtime: ProcessRuntime;
  readonly serving: Serving;
  readonly url: string;
  /** A request for inference as it stands. */
  infer(body: Uint8Array | string, headers?: Record<string, string>): Promise<Response>;
  /** The process of the version in service. */
  readonly workerPids: readonly number[];
}

export async function deviceWorld(load: LoadRequest = digitsLoad()): Promise<DeviceWorld> {
  await using stack = new AsyncDisposableStack();
  const workerPids: number[] = [];
  const runtime = stack.use(
    new ProcessRuntime({ log: () => undefined, limits: { floorMs: HANG_MS, preparationMs: HANG_MS } }),
  );
  const serving = stack.use(
    new Serving(
      { runtime, clock: systemClock, chance: systemChance, throttleEpoch: () => 0, listener: {} },
      { deadlineMs: 60_000 },
    ),
  );
  const server = stack.use(await LocalServer.listen(0, keepingLogger()));
  server.serve(oipRoutes({ serving, agentVersion: '0.0.0', log: () => undefined }));
  const worker = await runtime.spawn('a');
  workerPids.push(worker.pid);
  await worker.load(load);
  await worker.warmUp(5);
  const { model, weights } = load.contract;
  const release = { model, version: 1, profile: 'cpu-generic', weightsSha256: weights.sha256, sinceMs: 1 };
  await serving.swapTo({ slot: 'a', release, load, worker });
  const owned = stack.move();
  return {
    runtime,
    serving,
    url: server.url,
    workerPids,
    infer: async (body, headers = {}) => {
      // The server runs here too: what it has kept open too long, while a bomb was made, it closes first.
      await setImmediate();
      return await fetch(`${server.url}/v2/models/${model}/infer`, {
        method: 'POST',
        body: typeof body === 'string' ? body : Buffer.from(body),
        headers,
      });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The same for one test. */
export async function deviceForTest(load?: LoadRequest): Promise<DeviceWorld> {
  const world = await deviceWorld(load);
  onTestFinished(() => world[Symbol.asyncDispose]());
  return world;
}
