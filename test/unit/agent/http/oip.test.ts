import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemChance, systemClock } from '#agent/adapters/system-clock.ts';
import { ProcessRuntime } from '#agent/adapters/worker-process.ts';
import type { LocalServer } from '#agent/http/server.ts';
import { Serving } from '#agent/supervisor/serving/serving.ts';
import { argmax } from '#agent/worker/classify.ts';
import { readGoldenVectors, type GoldenVector } from '#agent/worker/golden-vectors.ts';
import { digitsLoad } from '#test/fakes/worker-models.ts';
import { listen, MODEL, output, outputs, post, postBinary, type Json } from './oip-client.ts';

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

  it('refuses what is no image with 422', async () => {
    const { response, json } = await post(`${url}${MODEL}/infer`, Buffer.from('GIF89a'), {
      'Inference-Header-Content-Length': '0',
    });
    expect(response.status).toBe(422);
    expect(json['code']).toBe('image-invalid');
  });

  it('refuses a tensor that the model does not take with 400', async () => {
    const inputs = [{ name: 'image', datatype: 'FP32', shape: [1], data: [1] }];
    const { response, json } = await post(`${url}${MODEL}/infer`, { inputs });
    expect(response.status).toBe(400);
    expect(json['detail']).toMatch(/the model takes FP32 \[-1, 1, 28, 28\]/);
  });
});
