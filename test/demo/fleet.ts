// The demo's fleet: one control plane and three agents as real processes in one folder, on free ports.
// Invariant: a process started again gets the ports it had, so that the others find it.

import { mkdir, readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApiClient } from '#control-plane/cli/api-client.ts';
import { claimSchema } from '#protocol/claims.ts';
import { ManagedProcess } from './managed-process.ts';

const READY_TIMEOUT_MS = 60_000;
const PLANE_READY = /^holdfast ready: (http:\S+) mqtts:\/\/\S+:(\d+) gateway https:\/\/\S+:(\d+)/;
const AGENT_READY = /^holdfast-agent ready: device (\S+) (http:\S+)/;

export interface DemoAgent {
  readonly deviceId: string;
  readonly profile: string;
  readonly url: string;
  readonly process: ManagedProcess;
}

export class DemoFleet implements AsyncDisposable {
  readonly plane: ManagedProcess;
  readonly agents: DemoAgent[] = [];
  readonly #folder: string;
  #server = '';
  #token = '';

  constructor(folder: string) {
    this.#folder = folder;
    this.plane = new ManagedProcess({
      name: 'control plane',
      entry: entryOf('#control-plane/main.ts'),
      args: [],
      env: this.#planeEnv({ http: '0', mqtt: '0', gateway: '0' }),
      logPath: join(folder, 'control-plane.log'),
      ready: PLANE_READY,
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
  }

  get server(): string {
    return this.#server;
  }

  get token(): string {
    return this.#token;
  }

  get dataDir(): string {
    return join(this.#folder, 'control-plane');
  }

  /** A client for whoever runs the control plane now. */
  api(): ApiClient {
    return new ApiClient({ server: this.#server, token: this.#token, timeoutMs: 30_000 });
  }

  async startPlane(): Promise<void> {
    const [, server, mqtt, gateway] = await this.plane.start();
    this.#server = server as string;
    const http = new URL(this.#server).port;
    const ports = { http, mqtt: mqtt as string, gateway: gateway as string };
    this.plane.spec = { ...this.plane.spec, env: this.#planeEnv(ports) };
    this.#token = (await readFile(join(this.dataDir, 'admin-token'), 'utf8')).trim();
  }

  /** Makes a claim and starts an agent with it; resolves once the agent is enrolled and answers. */
  async startAgent(
    deviceId: string,
    profile: string,
    onStart?: (process: ManagedProcess) => void,
  ): Promise<DemoAgent> {
    const claim = await this.api().post('/claims', { body: { deviceId, profile }, answer: claimSchema });
    const folder = join(this.#folder, deviceId);
    await mkdir(folder, { recursive: true });
    const argsWith = (port: string): string[] => [
      '--server', this.#server, '--claim', claim.token, '--profile', profile, '--data-dir', join(folder, 'data'),
      '--http-port', port, '--telemetry-window-ms', '1000',
    ]; // prettier-ignore
    const process = new ManagedProcess({
      name: `agent ${deviceId}`,
      entry: entryOf('#agent/main.ts'),
      args: argsWith('0'),
      env: {},
      logPath: join(folder, 'agent.log'),
      ready: AGENT_READY,
      readyTimeoutMs: READY_TIMEOUT_MS,
    });
    onStart?.(process);
    const [, , url] = await process.start();
    process.spec = { ...process.spec, args: argsWith(new URL(url as string).port) };
    const agent = { deviceId, profile, url: url as string, process };
    this.agents.push(agent);
    return agent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.agents.map((agent) => agent.process[Symbol.asyncDispose]()));
    await this.plane[Symbol.asyncDispose]();
  }

  #planeEnv(ports: { http: string; mqtt: string; gateway: string }): Record<string, string> {
    return {
      HOLDFAST_DATA_DIR: this.dataDir,
      HOLDFAST_HTTP_PORT: ports.http,
      HOLDFAST_MQTT_PORT: ports.mqtt,
      HOLDFAST_GATEWAY_PORT: ports.gateway,
    };
  }
}

/** Three different device classes that this very machine can be, each compressed for within seconds. */
export function demoProfiles(): [string, string, string] {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'x86';
  return [`${architecture}-any`, `${architecture}-gateway`, 'cpu-generic'];
}

export function machineInWords(): string {
  return `${cpus().length} × ${cpus()[0]?.model ?? 'processor'}, Node ${process.version}`;
}

function entryOf(specifier: string): string {
  return fileURLToPath(import.meta.resolve(specifier));
}
