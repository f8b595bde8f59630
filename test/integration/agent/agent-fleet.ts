// A control plane and agents as real processes in one temporary folder, with the committed digit readers.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { ApiClient } from '#control-plane/cli/api-client.ts';
import type { AgentStatus } from '#agent/supervisor/status.ts';
import { claimSchema } from '#protocol/claims.ts';
import { jobSchema, modelVersionSchema, type CreateRollout } from '#protocol/api.ts';
import { rolloutSchema } from '#protocol/rollout.ts';
import { importVersion } from '#test/demo/digits-assets.ts';
import { ManagedProcess } from '#test/demo/managed-process.ts';

const READY_TIMEOUT_MS = 60_000;
const PATIENCE_MS = 60_000;
const POLL_MS = 50;
export const PROFILE = 'cpu-generic';
export const AGENT_MAIN = fileURLToPath(import.meta.resolve('#agent/main.ts'));

export class AgentFleet {
  readonly folder: string;
  readonly plane: ManagedProcess;
  #server = '';
  #token = '';

  private constructor(folder: string) {
    this.folder = folder;
    this.plane = new ManagedProcess({
      name: 'control plane',
      entry: fileURLToPath(import.meta.resolve('#control-plane/main.ts')),
      args: [],
      env: planeEnv(folder, ['0', '0', '0']),
      logPath: join(folder, 'plane.log'),
      ready: /^holdfast ready: (http:\S+) mqtts:\/\/\S+:(\d+) gateway https:\/\/\S+:(\d+)/,
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
  }

  /** Ends with the test. */
  static async start(): Promise<AgentFleet> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-fleet-'));
    const fleet = new AgentFleet(folder);
    onTestFinished(async () => {
      await fleet.plane[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    });
    const [, server = '', mqtt = '', gateway = ''] = await fleet.plane.start();
    fleet.#server = server;
    fleet.plane.spec = { ...fleet.plane.spec, env: planeEnv(folder, [new URL(server).port, mqtt, gateway]) };
    fleet.#token = (await readFile(join(folder, 'plane', 'admin-token'), 'utf8')).trim();
    return fleet;
  }

  get server(): string {
    return this.#server;
  }

  get api(): ApiClient {
    return new ApiClient({ server: this.#server, token: this.#token, timeoutMs: 30_000 });
  }

  async claim(deviceId: string): Promise<string> {
    return (await this.api.post('/claims', { body: { deviceId, profile: PROFILE }, answer: claimSchema }))
      .token;
  }

  /** An agent process; it keeps its port when it is started again. */
  async agent(deviceId: string): Promise<AgentProcess> {
    return await this.agentWith(deviceId, await this.claim(deviceId));
  }

  async agentWith(deviceId: string, claim: string): Promise<AgentProcess> {
    const args = ['--data-dir', join(this.folder, deviceId), '--telemetry-window-ms', '500'];
    const enrol = ['--server', this.#server, '--claim', claim, '--profile', PROFILE];
    const process = new ManagedProcess({
      name: deviceId,
      entry: AGENT_MAIN,
      args: [...args, ...enrol, '--http-port', '0'],
      env: {},
      logPath: join(this.folder, `${deviceId}.log`),
      ready: /^holdfast-agent ready: device (\S+) (http:\S+)/,
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
    onTestFinished(() => process[Symbol.asyncDispose]());
    const [, , url = ''] = await process.start();
    process.spec = { ...process.spec, args: [...args, '--http-port', new URL(url).port] };
    return new AgentProcess(process, url);
  }

  /** Imports a version, makes its variant for the profile and signs it. */
  async publish(version: number): Promise<void> {
    const { api } = this;
    await importVersion(api, version);
    const path = `/models/digits/versions/${version}`;
    const job = await api.post(`${path}/variants`, { body: { profiles: [PROFILE] }, answer: jobSchema });
    await until(
      async () => (await api.get(`/jobs/${job.id}`, jobSchema)).state === 'succeeded',
      'the variants',
    );
    await api.post(`${path}/sign`, { body: {}, answer: modelVersionSchema });
  }

  async rollOut(version: number, policy: CreateRollout['policy'] = {}): Promise<string> {
    const body = {
      model: 'digits',
      version,
      waves: [{ size: { percent: 100 }, soakMs: 0 }],
      policy: { minPairs: 30, probationMs: 1_500, ...policy },
    };
    return (await this.api.post('/rollouts', { body, answer: rolloutSchema })).id;
  }
}

export class AgentProcess {
  readonly process: ManagedProcess;
  readonly url: string;

  constructor(process: ManagedProcess, url: string) {
    this.process = process;
    this.url = url;
  }

  async status(): Promise<AgentStatus> {
    return (await (await fetch(`${this.url}/api/status`)).json()) as AgentStatus;
  }

  /** One image of zeros; answers the HTTP status and the version that answered. */
  async infer(): Promise<number> {
    const inputs = [
      { name: 'image', datatype: 'UINT8', shape: [28, 28], data: Array.from({ length: 784 }, () => 0) },
    ];
    const answer = await fetch(`${this.url}/v2/models/digits/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs }),
    });
    await answer.text();
    return answer.status;
  }

  until(holds: (status: AgentStatus) => boolean, what: string): Promise<void> {
    return until(async () => holds(await this.status()), what);
  }
}

/** Polls a process of which nothing else can be awaited; what is refused meanwhile counts as not yet. */
export async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > giveUpAt) throw new Error(`never came true: ${what}`);
    await pause(POLL_MS);
  }
}

function planeEnv(
  folder: string,
  [http, mqtt, gateway]: readonly [string, string, string] | string[],
): Record<string, string> {
  return {
    HOLDFAST_DATA_DIR: join(folder, 'plane'),
    HOLDFAST_HTTP_PORT: http ?? '0',
    HOLDFAST_MQTT_PORT: mqtt ?? '0',
    HOLDFAST_GATEWAY_PORT: gateway ?? '0',
  };
}
