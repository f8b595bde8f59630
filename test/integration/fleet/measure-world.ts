// The device side of a control plane as it is composed for real (broker, gateway, trust, SQLite, timer), with
// agents as real processes, and candidates for them to time.

import { createServer } from 'node:http';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { readConfig } from '#control-plane/config.ts';
import { createLogger } from '#control-plane/logger.ts';
import { openCore, type Core } from '#control-plane/open-core.ts';
import type { DeviceTimingRequest } from '#control-plane/registry/device-timer.ts';
import { startDevices, type DeviceSide } from '#control-plane/start-devices.ts';
import type { SignedRelease } from '#control-plane/fleet/orders.ts';
import { encodeSafetensors } from '#protocol/safetensors.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import { ManagedProcess } from '#test/demo/managed-process.ts';
import { digitsLoad, profileNamed, roundsLoad } from '#test/fakes/worker-models.ts';
import { AGENT_MAIN, until } from '../agent/agent-fleet.ts';

const PROFILE = 'cpu-generic';
const READY_TIMEOUT_MS = 60_000;
const ENDLESS_ROUNDS = 10n ** 12n;

export class MeasureWorld {
  readonly folder: string;
  readonly core: Core;
  readonly devices: DeviceSide;
  readonly #enrolmentUrl: string;
  /** What an order of any version is for. */
  release: SignedRelease | null = null;

  private constructor(folder: string, core: Core, devices: DeviceSide, enrolmentUrl: string) {
    this.folder = folder;
    this.core = core;
    this.devices = devices;
    this.#enrolmentUrl = enrolmentUrl;
  }

  /** Ends with the test. */
  static async start(): Promise<MeasureWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-measure-'));
    const stack = new AsyncDisposableStack();
    onTestFinished(async () => {
      await stack.disposeAsync();
      await rm(folder, { recursive: true, force: true });
    });
    const env = {
      HOLDFAST_DATA_DIR: join(folder, 'plane'),
      HOLDFAST_MQTT_PORT: '0',
      HOLDFAST_GATEWAY_PORT: '0',
    };
    const log = createLogger({ level: 'silent', write: () => undefined });
    const core = await openCore(readConfig([], env, '0.0.0'), log, stack);
    const devices = await startDevices(core, { release: () => Promise.resolve(world.release) }, stack);
    await devices.fleet.start();
    const http = createServer((_request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(devices.fleet.enrolmentInfo()));
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    stack.defer(() => void http.close());
    const { port } = http.address() as AddressInfo;
    const world: MeasureWorld = new MeasureWorld(folder, core, devices, `http://127.0.0.1:${port}`);
    return world;
  }

  /** An agent process of which the control plane knows that it is online and idle. */
  async agent(deviceId: string): Promise<ManagedProcess> {
    const { fleet } = this.devices;
    const claim = await fleet.claims.create({ deviceId, labels: {}, ttlMs: 60_000 }, 'token:test');
    const args = ['--data-dir', join(this.folder, deviceId), '--http-port', '0', '--log-level', 'debug'];
    const agent = new ManagedProcess({
      name: deviceId,
      entry: AGENT_MAIN,
      args: [...args, '--server', this.#enrolmentUrl, '--claim', claim.token, '--profile', PROFILE],
      env: {},
      logPath: join(this.folder, `${deviceId}.log`),
      ready: /^holdfast-agent ready: device (\S+) (http:\S+)/,
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
    onTestFinished(() => agent[Symbol.asyncDispose]());
    await agent.start();
    await until(async () => (await fleet.getDevice(deviceId)).reported !== null, 'the first report');
    return agent;
  }

  /** Resolves with the first live event from now on that the test is true of. */
  event(test: (summary: string) => boolean): Promise<string> {
    return new Promise((resolve) => {
      const end = this.core.events.subscribe(({ summary }) => {
        if (!test(summary)) return;
        end();
        resolve(summary);
      });
    });
  }

  /** The digit reader as a candidate. */
  async digits(): Promise<DeviceTimingRequest> {
    const { contract, weightsPath, goldenPath } = digitsLoad();
    await this.core.blobs.putBytes(await readFile(goldenPath));
    return await this.#candidate(contract, weightsPath);
  }

  /** A candidate whose first run on golden inputs never ends. */
  async endless(): Promise<DeviceTimingRequest> {
    const { contract, weightsPath } = roundsLoad();
    const rounds = new Uint8Array(BigInt64Array.of(ENDLESS_ROUNDS).buffer);
    const golden = await this.core.blobs.putBytes(
      encodeSafetensors({
        'input.0.rounds': { dtype: 'I64', shape: [], data: rounds },
        'output.0.total': { dtype: 'F32', shape: [], data: new Uint8Array(4) },
      }),
    );
    return await this.#candidate(
      { ...contract, golden: { ...contract.golden, ...golden, count: 1 } },
      weightsPath,
    );
  }

  /** What lies on a device's disk of a measurement. */
  async litter(deviceId: string): Promise<string[]> {
    return await readdir(join(this.folder, deviceId, 'candidates'));
  }

  async #candidate(contract: ModelContract, weightsPath: string): Promise<DeviceTimingRequest> {
    const weights = await this.core.blobs.putBytes(await readFile(weightsPath));
    return {
      profile: profileNamed(PROFILE),
      version: 1,
      precision: 'original',
      weights,
      contract: { ...contract, weights },
      signal: new AbortController().signal,
    };
  }
}

/** Inference processes of an agent, among its children. */
export async function workersOf(agent: ManagedProcess): Promise<number[]> {
  const task = `/proc/${agent.pid}/task`;
  const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => ''); // it may have ended
  const lists = await Promise.all(
    (await readdir(task)).map((thread) => read(join(task, thread, 'children'))),
  );
  const children = lists.flatMap((list) => list.split(' ')).filter((pid) => pid !== '');
  const commands = await Promise.all(children.map((pid) => read(`/proc/${pid}/cmdline`)));
  return children.filter((_, index) => commands[index]?.includes('agent/worker/main.ts')).map(Number);
}
