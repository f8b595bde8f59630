import { request as httpRequest } from 'node:http';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { HoldfastError } from '#protocol/errors.ts';
import { servingWorld } from '../supervisor/serving/serving-world.ts';
import { listen, MODEL, post, postBinary } from './oip-client.ts';

type World = ReturnType<typeof servingWorld> & { url: string; logged: unknown[] };

async function scripted(): Promise<World> {
  const world = servingWorld({ queueLimit: 1, pipelineDepth: 1 });
  const logged: unknown[] = [];
  const server = await listen(world.serving, (error) => logged.push(error));
  onTestFinished(() => server[Symbol.asyncDispose]());
  return Object.assign(world, { url: server.url, logged });
}

/** A model is in service that answers everything. */
async function inService(): Promise<World> {
  const world = await scripted();
  const a = await world.slot('a', 1);
  a.worker.auto = () => ({});
  await world.serving.swapTo(a);
  return world;
}

const input = { name: 'image', datatype: 'UINT8', shape: [1, 1], data: [0] };
const pixels = { name: 'image', datatype: 'UINT8', shape: [2, 2], data: [1, 2, 3, 4] };

describe('the inference API, asked wrongly', () => {
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
  ])('refuses %s with what was wrong', async (_what, body, message) => {
    const { url } = await inService();
    const { response, json } = await post(`${url}${MODEL}/infer`, body);
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(json).toMatchObject({ code: 'bad-request', status: 400, error: json['detail'] });
    expect(json['detail']).toMatch(message);
  });

  it('refuses a broken body: no JSON, bytes left over, a header longer than the body', async () => {
    const { url } = await inService();
    const raw = async (body: string, headers: Record<string, string> = {}): Promise<number> =>
      (await fetch(`${url}${MODEL}/infer`, { method: 'POST', body, headers })).status;
    expect(await raw('not json')).toBe(400);
    expect(await raw('{}', { 'Inference-Header-Content-Length': '99' })).toBe(400);
    expect(await raw('{}', { 'Inference-Header-Content-Length': 'x' })).toBe(400);
    const left = await postBinary(`${url}${MODEL}/infer`, { inputs: [pixels] }, [new Uint8Array(3)]);
    expect(left.json['detail']).toMatch(/3 bytes of the body belong to no input/);
  });

  it('refuses a body over its limit, declared or not, and goes on serving', async () => {
    const { url } = await inService();
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
    const { url } = await inService();
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
    const { url } = await inService();
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

  it('holds no more bodies at a time than memory has room for', async () => {
    const world = await scripted();
    const a = await world.slot('a', 1);
    await world.serving.swapTo(a);
    const declared = { method: 'POST', headers: { 'Content-Length': '90000' } };
    const slow = Array.from({ length: 4 }, () => httpRequest(`${world.url}${MODEL}/infer`, declared));
    const closed = slow.map(
      (sent) => new Promise((resolve) => sent.on('error', () => undefined).on('close', resolve)),
    );
    for (const sent of slow) sent.write('{');
    const isRefused = async (): Promise<boolean> => {
      const { json } = await post(`${world.url}${MODEL}/infer`, new Uint8Array(90_000));
      return json['code'] === 'overloaded';
    };
    await vi.waitUntil(isRefused);
    for (const sent of slow) sent.destroy();
    await Promise.all(closed);
    await vi.waitUntil(async () => !(await isRefused()));
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
