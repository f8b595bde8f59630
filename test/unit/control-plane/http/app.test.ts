import { request as httpRequest } from 'node:http';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { apiRouter, route } from '#control-plane/http/route.ts';
import { versionParameter } from '#control-plane/http/parameters.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { apiWorld, jsonInit, problemOf, type ApiWorld } from './api-world.ts';

const thing = z.strictObject({
  name: z.string().max(10),
  labels: z.record(z.string(), z.string()).default({}),
});

function things() {
  const router = apiRouter();
  route(
    router,
    {
      method: 'post', path: '/things/:version', tag: 't', summary: 's', access: 'operator', status: 201,
      params: z.strictObject({ version: versionParameter }),
      query: z.strictObject({ dry: z.enum(['yes', 'no']).optional() }),
      body: thing, maxBodyBytes: 2_000,
      response: z.strictObject({ version: z.int(), name: z.string(), actor: z.string() }),
    },
    ({ params, body, actor }) => ({ version: params.version, name: body.name, actor }),
  ); // prettier-ignore
  route(
    router,
    { method: 'get', path: '/public', tag: 't', summary: 's', access: 'public', response: z.string() },
    ({ actor }) => actor,
  );
  route(
    router,
    { method: 'get', path: '/broken', tag: 't', summary: 's', access: 'viewer', response: z.string() },
    () => {
      throw new Error('secret inner detail');
    },
  );
  route(
    router,
    { method: 'get', path: '/full', tag: 't', summary: 's', access: 'viewer', response: z.string() },
    () => {
      throw new HoldfastError('disk-full', 'the disk is full', { hint: 'free some' });
    },
  );
  return router;
}

let world: ApiWorld;
beforeEach(async () => {
  world = await apiWorld({ routers: () => [things()], maxFailures: 3 });
});
afterEach(() => world[Symbol.asyncDispose]());

describe('an operation', () => {
  it('gets checked parameters and body, and the name of who called', async () => {
    const answer = await world.call('/api/v1/things/7?dry=yes', jsonInit({ name: 'x' }));
    expect(answer.status).toBe(201);
    expect(await answer.json()).toEqual({ version: 7, name: 'x', actor: 'token:admin' });
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it.each([
    ['a path parameter', '/api/v1/things/none', { name: 'x' }, /path: version/],
    ['a query parameter', '/api/v1/things/1?dry=maybe', { name: 'x' }, /query: dry/],
    ['an unknown query parameter', '/api/v1/things/1?wet=1', { name: 'x' }, /query: .*wet/],
    ['a body member', '/api/v1/things/1', { name: 'far too long for it' }, /body: name/],
    ['an unknown body member', '/api/v1/things/1', { name: 'x', admin: true }, /body: .*admin/],
    ['a body that is not an object', '/api/v1/things/1', [1], /body/],
  ])('refuses %s that does not fit, and says which', async (_what, path, body, detail) => {
    const problem = await problemOf(await world.call(path, jsonInit(body)));
    expect(problem).toMatchObject({ status: 400, code: 'bad-request', title: 'Bad Request' });
    expect(problem.detail).toMatch(detail);
    expect(problem.hint).toContain('openapi.json');
  });

  it('answers what it throws with the code, the cause and the cure', async () => {
    expect(await problemOf(await world.call('/api/v1/full'))).toEqual({
      type: 'urn:holdfast:error:disk-full',
      title: 'Insufficient Storage',
      status: 507,
      code: 'disk-full',
      detail: 'the disk is full',
      hint: 'free some',
      instance: '/api/v1/full',
    });
  });

  it('keeps what went wrong inside to its log', async () => {
    const answer = await world.call('/api/v1/broken');
    expect(await answer.clone().text()).not.toContain('secret');
    expect(await problemOf(answer)).toMatchObject({ status: 500, code: 'internal' });
    expect(world.logged.join('')).toContain('secret inner detail');
  });
});

describe('a body', () => {
  const post = (body: string, type = 'application/json') =>
    world.call('/api/v1/things/1', { method: 'POST', body, headers: { 'content-type': type } });

  it.each([
    ['that is not JSON', '{"name"', 400, 'bad-request'],
    ['that is larger than allowed', JSON.stringify({ name: 'x'.repeat(3_000) }), 413, 'body-too-large'],
    ['with a key that reaches a prototype', '{"name":"x","labels":{"__proto__":"y"}}', 400, 'bad-request'],
    ['with a constructor key', '{"name":"x","labels":{"constructor":"y"}}', 400, 'bad-request'],
    ['nested without end', `${'{"a":'.repeat(300)}1${'}'.repeat(300)}`, 400, 'bad-request'],
  ])('%s is refused', async (_what, body, status, code) => {
    expect(await problemOf(await post(body))).toMatchObject({ status, code });
  });

  it('of another type is refused', async () => {
    expect(await problemOf(await post('name=x', 'text/plain'))).toMatchObject({
      status: 415,
      code: 'media-type-unsupported',
    });
  });

  it('is not read before the credentials were checked', async () => {
    const init = jsonInit({ name: 'x'.repeat(3_000) });
    expect(await problemOf(await fetch(`${world.url}/api/v1/things/1`, init))).toMatchObject({ status: 401 });
  });
});

describe('an address', () => {
  it('that is unknown is told so', async () => {
    expect(await problemOf(await world.call('/api/v1/nothing'))).toMatchObject({
      status: 404,
      code: 'not-found',
      detail: 'nothing lies at /api/v1/nothing',
    });
  });

  it('that is not decodable is refused', async () => {
    expect(await problemOf(await world.call('/api/v1/things/%ff', { method: 'POST' }))).toMatchObject({
      status: 400,
    });
  });

  it('asked by a wrong method says which ones it takes', async () => {
    const answer = await world.call('/api/v1/public', { method: 'DELETE' });
    expect(answer.headers.get('allow')).toBe('GET, HEAD');
    expect(await problemOf(answer)).toMatchObject({ status: 405, code: 'method-not-allowed' });
  });
});

describe('credentials', () => {
  it('are the admin token that was made at first start, readable by its owner alone', async () => {
    expect((await stat(join(world.dataDir, 'admin-token'))).mode & 0o777).toBe(0o600);
    expect(world.token).toMatch(/^hft_[A-Za-z0-9_-]{43}$/);
    const stored = JSON.stringify(await world.store.db.selectFrom('api_tokens').selectAll().execute());
    expect(stored).not.toContain(world.token);
  });

  it('may be missing on public routes only', async () => {
    expect(await (await fetch(`${world.url}/api/v1/public`)).json()).toBe('anonymous');
    const answer = await fetch(`${world.url}/api/v1/broken`);
    expect(answer.headers.get('www-authenticate')).toContain('Bearer');
    expect(await problemOf(answer)).toMatchObject({ status: 401, code: 'unauthorized' });
  });

  it('that are wrong are refused, after a few times for a minute, and never hold back the right ones', async () => {
    const wrong = () =>
      world.call('/api/v1/public', { headers: { authorization: `Bearer hft_${'a'.repeat(43)}` } });
    const statuses = [];
    for (let n = 0; n < 5; n++) statuses.push((await wrong()).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    const limited = await wrong();
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await problemOf(limited)).toMatchObject({ code: 'rate-limited' });
    expect((await world.call('/api/v1/public')).status).toBe(200);
  });
});

describe('a request by host name', () => {
  const statusFor = (host: string) =>
    new Promise<number>((resolve, reject) => {
      httpRequest(`${world.url}/healthz`, { headers: { host } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });

  it.each([
    ['localhost:8080', 200],
    ['127.0.0.1', 200],
    ['[::1]:8080', 200],
    ['Fleet.Example:8080', 200],
    ['evil.example', 403],
    ['127.0.0.1.evil.example', 403],
    ['fleet.example@evil.example', 403],
  ])('%s is answered with %i', async (host, status) => {
    expect(await statusFor(host)).toBe(status);
  });
});

describe('the console', () => {
  const page = (path: string) => fetch(world.url + path, { headers: { accept: 'text/html' } });

  it('says how to build it while it is not built', async () => {
    const answer = await page('/rollouts/7');
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain('npm run build:console');
  });

  it('is one page for every address, allowed to load nothing from elsewhere', async () => {
    const consoleDir = join(world.dataDir, 'no-console');
    await mkdir(join(consoleDir, 'assets'), { recursive: true });
    await writeFile(join(consoleDir, 'index.html'), '<p>console');
    await writeFile(join(consoleDir, 'assets', 'a-1.js'), 'let a');
    const answer = await page('/rollouts/7');
    expect(await answer.text()).toBe('<p>console');
    expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none';script-src 'self'/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    const asset = await page('/assets/a-1.js');
    expect(asset.headers.get('cache-control')).toContain('immutable');
    expect((await page('/assets/missing.js')).status).toBe(404);
    expect((await page('/../../etc/passwd')).status).toBe(200);
    expect((await page('/%2e%2e/admin-token')).headers.get('content-type')).toContain('html');
  });
});

it('answers that it is healthy without credentials', async () => {
  expect(await (await fetch(`${world.url}/healthz`)).json()).toEqual({ status: 'ok' });
});
