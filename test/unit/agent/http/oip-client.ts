// A client of the inference API for its tests, and the server under them.

import { oipRoutes } from '#agent/http/oip.ts';
import { LocalServer } from '#agent/http/server.ts';
import type { Logger } from '#agent/ports/logger.ts';
import type { Serving } from '#agent/supervisor/serving/serving.ts';

export const MODEL = '/v2/models/digits';
const quiet: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export interface Json {
  readonly [name: string]: unknown;
}
export interface OutputJson extends Json {
  readonly name: string;
  readonly data?: readonly unknown[];
  readonly parameters?: { readonly binary_data_size: number };
}

export async function listen(
  serving: Serving,
  log: (error: unknown) => void = () => undefined,
): Promise<LocalServer> {
  const server = await LocalServer.listen(0, quiet);
  server.serve(oipRoutes({ serving, agentVersion: '0.0.0', log, maxBodyBytes: 100_000 }));
  return server;
}

export async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ response: Response; json: Json }> {
  const isBytes = body instanceof Uint8Array;
  const response = await fetch(url, {
    method: 'POST',
    headers,
    body: isBytes ? Buffer.from(body) : JSON.stringify(body),
  });
  return { response, json: (await response.json()) as Json };
}

/** JSON and tensors in one body, as the binary extension has it. */
export async function postBinary(
  url: string,
  header: object,
  tensors: readonly Uint8Array[],
): Promise<{ response: Response; json: Json; rest: Buffer }> {
  const json = Buffer.from(JSON.stringify(header));
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Inference-Header-Content-Length': String(json.length) },
    body: Buffer.concat([json, ...tensors]),
  });
  const body = Buffer.from(await response.arrayBuffer());
  const jsonBytes = Number(response.headers.get('inference-header-content-length') ?? body.length);
  return {
    response,
    json: JSON.parse(body.toString('utf8', 0, jsonBytes)) as Json,
    rest: body.subarray(jsonBytes),
  };
}

export const outputs = (json: Json): readonly OutputJson[] => json['outputs'] as OutputJson[];
export const output = (json: Json, name: string): OutputJson => {
  const found = outputs(json).find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no output ${name}`);
  return found;
};
