import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { systemChance, systemClock } from '#agent/adapters/system-clock.ts';
import { ProcessRuntime } from '#agent/adapters/worker-process.ts';
import { oipRoutes } from '#agent/http/oip.ts';
import { LocalServer } from '#agent/http/server.ts';
import type { Logger } from '#agent/ports/logger.ts';
import { Serving } from '#agent/supervisor/serving/serving.ts';
import { readGoldenVectors, type GoldenVector } from '#agent/worker/golden-vectors.ts';
import { argmax } from '#agent/worker/classify.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { digitsLoad } from '#test/fakes/worker-models.ts';
import { servingWorld } from '../supervisor/serving/serving-world.ts';

const MODEL = '/v2/models/digits';
const quiet: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

interface Json {
  readonly [name: string]: unknown;
}
interface OutputJson extends Json {
  readonly name: string;
  readonly data?: readonly unknown[];
  readonly parameters?: { readonly binary_data_size: number };
}

async function listen(
  serving: Serving,
  log: (error: unknown) => void = () => undefined,
): Promise<LocalServer> {
  const server = await LocalServer.listen(0, quiet);
  server.serve(oipRoutes({ serving, agentVersion: '0.0.0', log, maxBodyBytes: 100_000 }));
  return server;
}

async function post(
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
async function postBinary(
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

const outputs = (json: Json): readonly OutputJson[] => json['outputs'] as OutputJson[];
const output = (json: Json, name: string): OutputJson => {
  const found = outputs(json).find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no output ${name}`);
  return found;
};

describe('the inference API on a real worker', () => {
  let runtime: ProcessRuntime;
  let serving: Serving;
  let server: LocalServer;
  let vectors: GoldenVector[];
  let url: string;

  beforeAll(async () => {
    const load = digitsLoad();
    vectors = await readGoldenVectors(load.goldenPath, load.contract);
    runtime = new ProcessRuntime({ log: () => undefined });
    serving = new Serving({
      runtime,
      clock: systemClock,
      chance: systemChance,
      throttleEpoch: () => 0,
      listener: {},
    });
    const worker = await runtime.spawn('a');
    await worker.load(load);
    const release = {
      model: 'digits',
      version: 1,
      profile: 'cpu-generic',
      weightsSha256: load.contract.weights.sha256,
      sinceMs: 1,
    };
    await serving.swapTo({ slot: 'a', release, load, worker });
    server = await listen(serving);
    url = server.url;
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await serving[Symbol.asyncDispose]();
    await runtime[Symbol.asyncDispose]();
  });

  const png = (index: number): Uint8Array =>
    (vectors[index]?.inputs['image']?.data ?? new Uint8Array()).subarray(4);
  const digit = (index: number): string => String(argmax(vectors[index]?.expected.get('logits') ?? []));

  it('tells of the server and the model', async () => {
    const get = async (path: string): Promise<unknown> => await (await fetch(url + path)).json();
    expect(await get('/v2')).toEqual({
      name: 'holdfast-agent',
      version: '0.0.0',
      extensions: ['binary_tensor_data'],
    });
    expect(await get('/v2/health/live')).toEqual({ live: true });
    expect(await get('/v2/health/ready')).toEqual({ ready: true });
    expect(await get(`${MODEL}/ready`)).toEqual({ name: 'digits', ready: true });
    expect(await get(`${MODEL}/versions/1`)).toMatchObject({
      name: 'digits',
      versions: ['1'],
      inputs: [{ name: 'image', datatype: 'BYTES', shape: [1] }],
      outputs: [
        { name: 'logits', datatype: 'FP32', shape: [-1, 10] },
        { name: 'class_labels', datatype: 'BYTES' },
        { name: 'class_scores', datatype: 'FP32' },
      ],
    });
  });

  it('reads an encoded image in a binary tensor', async () => {
    const element = vectors[3]?.inputs['image']?.data as Uint8Array;
    const input = {
      name: 'image',
      datatype: 'BYTES',
      shape: [1],
      parameters: { binary_data_size: element.length },
    };
    const { response, json } = await postBinary(`${url}${MODEL}/infer`, { id: 'frame 3', inputs: [input] }, [
      element,
    ]);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(json).toMatchObject({
      id: 'frame 3',
      model_name: 'digits',
      model_version: '1',
      parameters: { version: 1 },
    });
    expect((json['parameters'] as Json)['latencyMs']).toBeGreaterThan(0);
    expect(output(json, 'class_labels').data?.[0]).toBe(digit(3));
    expect(output(json, 'class_scores')).toMatchObject({ datatype: 'FP32', shape: [3] });
    expect(output(json, 'logits')).toMatchObject({ datatype: 'FP32', shape: [1, 10] });
    expect(output(json, 'logits').data).toHaveLength(10);
  });

  it('reads an image alone in the body, and one as base64 in JSON', async () => {
    const alone = await post(`${url}${MODEL}/infer`, png(5), { 'Inference-Header-Content-Length': '0' });
    expect(output(alone.json, 'class_labels').data?.[0]).toBe(digit(5));
    const data = [Buffer.from(png(5)).toString('base64')];
    const input = {
      name: 'image',
      datatype: 'BYTES',
      shape: [1],
      parameters: { content_type: 'base64' },
      data,
    };
    const base64 = await post(`${url}${MODEL}/versions/1/infer`, { inputs: [input] });
    expect(output(base64.json, 'logits').data).toEqual(output(alone.json, 'logits').data);
  });

  it('takes pixels and the prepared tensor alike, and gives outputs as binary where asked', async () => {
    const pixels = {
      name: 'image',
      datatype: 'UINT8',
      shape: [28, 28],
      data: Array.from({ length: 28 }, () => Array<number>(28).fill(255)),
    };
    const white = await post(`${url}${MODEL}/infer`, { inputs: [pixels] });
    const prepared = Float32Array.from({ length: 784 }, () => (255 * 0.003_921_568_627_45 - 0.1307) / 0.3081);
    const input = {
      name: 'image',
      datatype: 'FP32',
      shape: [1, 1, 28, 28],
      parameters: { binary_data_size: 3_136 },
    };
    const outputs = [{ name: 'logits', parameters: { binary_data: true } }];
    const { response, json, rest } = await postBinary(`${url}${MODEL}/infer`, { inputs: [input], outputs }, [
      new Uint8Array(prepared.buffer),
    ]);
    expect(response.headers.get('content-type')).toContain('application/octet-stream');
    expect(json['outputs']).toEqual([
      { name: 'logits', datatype: 'FP32', shape: [1, 10], parameters: { binary_data_size: 40 } },
    ]);
    const logits = Array.from(new Float32Array(rest.buffer.slice(rest.byteOffset, rest.byteOffset + 40)));
    const fromPixels = output(white.json, 'logits').data as number[];
    logits.forEach((value, index) => expect(value).toBeCloseTo(fromPixels[index] as number, 3));
  });

  it('gives all outputs as binary by default where the request says so', async () => {
    const { json, rest } = await postBinary(
      `${url}${MODEL}/infer`,
      {
        inputs: [
          { name: 'image', datatype: 'UINT8', shape: [28, 28], parameters: { binary_data_size: 784 } },
        ],
        parameters: { binary_data_output: true },
      },
      [new Uint8Array(784)],
    );
    const sizes = outputs(json).map(({ parameters }) => parameters?.binary_data_size ?? NaN);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(rest.length);
    expect(sizes).toHaveLength(3);
  });

  it('counts answers to known labels', async () => {
    serving.takeWindow();
    for (const truth of [digit(0), 'something else']) {
      const input = {
        name: 'image',
        datatype: 'BYTES',
        shape: [1],
        parameters: { content_type: 'base64' },
        data: [Buffer.from(png(0)).toString('base64')],
      };
      await post(`${url}${MODEL}/infer`, { inputs: [input], parameters: { ground_truth: truth } });
    }
    expect(serving.takeWindow()).toMatchObject([{ requests: 2, labelled: 2, correct: 1, errors: 0 }]);
  });

  const pixels = { name: 'image', datatype: 'UINT8', shape: [2, 2], data: [1, 2, 3, 4] };
  it.each<[string, object, RegExp]>([
    ['an input it does not have', { inputs: [{ ...pixels, name: 'sound' }] }, /no input sound; it has image/],
    ['an input twice', { inputs: [pixels, pixels] }, /twice/],
    ['an output it does not have', { inputs: [pixels], outputs: [{ name: 'boxes' }] }, /no output boxes/],
    ['too few elements', { inputs: [{ ...pixels, shape: [3, 3] }] }, /4 elements, its shape needs 9/],
    ['too many elements', { inputs: [{ ...pixels, shape: [1, 1] }] }, /more elements/],
    ['numbers out of range', { inputs: [{ ...pixels, data: [1, 2, 3, 256] }] }, /256 is not of type UINT8/],
    ['what is no number', { inputs: [{ ...pixels, data: [1, 2, 3, 'x'] }] }, /not a number/],
    ['a shape that is none', { inputs: [{ ...pixels, shape: [-1] }] }, /inputs\.0\.shape/],
    ['an unknown type', { inputs: [{ ...pixels, datatype: 'FP8' }] }, /inputs\.0\.datatype/],
    ['no inputs', { inputs: [] }, /inputs/],
    [
      'a binary size without bytes',
      { inputs: [{ ...pixels, parameters: { binary_data_size: 4 } }] },
      /does not fit/,
    ],
    [
      'a tensor of another shape',
      { inputs: [{ name: 'image', datatype: 'FP32', shape: [1], data: [1] }] },
      /the model takes FP32/,
    ],
  ])('refuses %s with what was wrong', async (_what, body, message) => {
    const { response, json } = await post(`${url}${MODEL}/infer`, body);
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(json).toMatchObject({ code: 'bad-request', status: 400, error: json['detail'] });
    expect(json['detail']).toMatch(message);
  });

  it('refuses a broken body: no JSON, bytes left over, a header longer than the body', async () => {
    const raw = async (body: string, headers: Record<string, string> = {}): Promise<number> =>
      (await fetch(`${url}${MODEL}/infer`, { method: 'POST', body, headers })).status;
    expect(await raw('not json')).toBe(400);
    expect(await raw('{}', { 'Inference-Header-Content-Length': '99' })).toBe(400);
    expect(await raw('{}', { 'Inference-Header-Content-Length': 'x' })).toBe(400);
    const left = await postBinary(`${url}${MODEL}/infer`, { inputs: [pixels] }, [new Uint8Array(3)]);
    expect(left.json['detail']).toMatch(/3 bytes of the body belong to no input/);
  });

  it('refuses what is no image with 422', async () => {
    const { response, json } = await post(`${url}${MODEL}/infer`, Buffer.from('GIF89a'), {
      'Inference-Header-Content-Length': '0',
    });
    expect(response.status).toBe(422);
    expect(json['code']).toBe('image-invalid');
  });

  it('refuses a body over its limit, declared or not, and goes on serving', async () => {
    const large = await post(`${url}${MODEL}/infer`, new Uint8Array(100_001));
    expect(large.response.status).toBe(413);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = httpRequest(`${url}${MODEL}/infer`, { method: 'POST' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      for (let part = 0; part < 3; part++) sent.write(Buffer.alloc(50_000));
      sent.end();
    });
    expect(status).toBe(413);
    expect((await fetch(`${url}${MODEL}/ready`)).status).toBe(200);
  });

  it('knows no other model or version, and no other path', async () => {
    for (const path of [
      '/v2/models/letters/ready',
      `${MODEL}/versions/2`,
      '/v2/models',
      '/v2/repository/index',
    ]) {
      const response = await fetch(url + path);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ code: 'not-found', hint: expect.any(String) as string });
    }
  });

  it('answers no page that rebinds its name to this device', async () => {
    const status = await new Promise((resolve, reject) => {
      const sent = httpRequest(`${url}/v2`, { headers: { Host: 'evil.example' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject).end();
    });
    expect(status).toBe(403);
  });
});

describe('the inference API, when serving cannot answer', () => {
  const input = { name: 'image', datatype: 'UINT8', shape: [1, 1], data: [0] };

  async function scripted(): Promise<ReturnType<typeof servingWorld> & { url: string; logged: unknown[] }> {
    const world = servingWorld({ queueLimit: 1, pipelineDepth: 1 });
    const logged: unknown[] = [];
    const server = await listen(world.serving, (error) => logged.push(error));
    onTestFinished(() => server[Symbol.asyncDispose]());
    return Object.assign(world, { url: server.url, logged });
  }

  it('is not ready before the first activation', async () => {
    const { url } = await scripted();
    expect((await fetch(`${url}/v2/health/ready`)).status).toBe(503);
    const { response, json } = await post(`${url}${MODEL}/infer`, { inputs: [input] });
    expect([response.status, json['code']]).toEqual([503, 'not-serving']);
  });

  it('answers 503 with Retry-After when too much waits', async () => {
    const world = await scripted();
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    const accepted = [1, 2].map(() => world.serving.infer({ inputs: {} }));
    const { response, json } = await post(`${world.url}${MODEL}/infer`, { inputs: [input] });
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(json).toMatchObject({ code: 'overloaded', retryAfterMs: expect.any(Number) as number });
    a.worker.auto = () => ({});
    a.worker.calls[0]?.resolve();
    await Promise.all(accepted);
  });

  it('tells and logs nothing of what it was sent when it fails by itself', async () => {
    const world = await scripted();
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    a.worker.auto = () => Promise.reject(new Error('secret of the inside'));
    const { response, json } = await post(`${world.url}${MODEL}/infer`, { inputs: [input] });
    expect(response.status).toBe(500);
    expect(JSON.stringify(json)).not.toContain('secret');
    expect(world.logged).toHaveLength(1);
  });

  it('tells of a hung worker with 504', async () => {
    const world = await scripted();
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    a.worker.auto = () => Promise.reject(new HoldfastError('deadline-exceeded', 'too late'));
    expect((await post(`${world.url}${MODEL}/infer`, { inputs: [input] })).response.status).toBe(504);
  });
});
