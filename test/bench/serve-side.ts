// The two sides of a comparison: the bare loop, asked over IPC, and clients that ask the agent over HTTP.

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Client } from 'undici';
import { benchSubject, type BenchModel } from './serve-models.ts';

export interface RoundRequest {
  readonly clients: number;
  readonly seconds: number;
}

export interface RoundTimes {
  readonly latenciesMs: number[];
  readonly elapsedMs: number;
}

export interface Side extends AsyncDisposable {
  round(request: RoundRequest): Promise<RoundTimes>;
}

export async function rawSide(model: BenchModel): Promise<Side> {
  const child = start('#test/bench/serve-raw.ts', model);
  await firstMessage(child);
  return {
    async round(request) {
      child.send(request);
      return (await firstMessage(child)) as RoundTimes;
    },
    [Symbol.asyncDispose]: () => ended(child),
  };
}

export async function servedSide(model: BenchModel): Promise<Side> {
  const child = start('#test/bench/serve-agent.ts', model);
  const url = (await firstMessage(child)) as string;
  const { load, input, tensor } = benchSubject(model);
  const json = Buffer.from(
    JSON.stringify({
      inputs: [
        {
          name: input,
          datatype: 'FP32',
          shape: tensor.shape,
          parameters: { binary_data_size: tensor.data.length },
        },
      ],
      outputs: load.contract.outputs.map(({ name }) => ({ name, parameters: { binary_data: true } })),
    }),
  );
  const request = {
    path: `/v2/models/${load.contract.model}/infer`,
    method: 'POST',
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(json.length),
    },
    body: Buffer.concat([json, tensor.data]),
  } as const;
  return {
    async round({ clients, seconds }) {
      const latenciesMs: number[] = [];
      const startMs = performance.now();
      const untilMs = startMs + 1_000 * seconds;
      const loop = async (): Promise<void> => {
        await using client = disposable(new Client(url));
        for (let nowMs = performance.now(); nowMs < untilMs;) {
          const { statusCode, body } = await client.request(request);
          const bytes = await body.arrayBuffer();
          if (statusCode !== 200)
            throw new Error(`the agent answered ${statusCode}: ${Buffer.from(bytes).toString()}`);
          const doneMs = performance.now();
          latenciesMs.push(doneMs - nowMs);
          nowMs = doneMs;
        }
      };
      await Promise.all(Array.from({ length: clients }, loop));
      return { latenciesMs, elapsedMs: performance.now() - startMs };
    },
    [Symbol.asyncDispose]: () => ended(child),
  };
}

function start(entry: string, model: BenchModel): ChildProcess {
  return fork(fileURLToPath(import.meta.resolve(entry)), [model], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

async function firstMessage(child: ChildProcess): Promise<unknown> {
  const died = once(child, 'exit').then(([code, signal]: unknown[]) => {
    throw new Error(`a side of the benchmark ended: ${String(signal ?? code)}`);
  });
  const message = once(child, 'message').then(([value]: unknown[]) => value);
  return await Promise.race([message, died]);
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.disconnect();
  await exit;
}

function disposable(client: Client): Client & AsyncDisposable {
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}
