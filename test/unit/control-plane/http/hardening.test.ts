// What a hostile client, page or proxy tries at the HTTP listener.

import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { apiRouter, route } from '#control-plane/http/route.ts';
import { apiWorld, jsonInit, problemOf, type ApiWorld, type ApiWorldOptions } from './api-world.ts';

let world: ApiWorld;
afterEach(() => world[Symbol.asyncDispose]());

const open = async (options: ApiWorldOptions = {}): Promise<void> => {
  world = await apiWorld({ routers: () => [echo()], ...options });
};

function echo() {
  const router = apiRouter();
  const spec = { path: '/echo', tag: 't', summary: 's', response: z.string() } as const;
  route(
    router,
    { ...spec, method: 'get', access: 'public' },
    ({ request }) => `${request.ip} ${request.protocol}`,
  );
  route(router, { ...spec, method: 'post', access: 'operator' }, () => 'changed');
  route(
    router,
    { method: 'put', path: '/echo', tag: 't', summary: 's', access: 'operator', requestStream: 'application/octet-stream', response: z.string() },
    () => 'stored',
  ); // prettier-ignore
  return router;
}

/** Sends bytes as they are, and answers the status. */
async function raw(lines: readonly string[]): Promise<number> {
  const { hostname, port } = new URL(world.url);
  const socket = connect(Number(port), hostname);
  socket.end([...lines, 'connection: close', '', ''].join('\r\n'));
  return Number(/^HTTP\/1.1 (\d+)/.exec(await text(socket))?.[1]);
}

describe('a request that names its host', () => {
  it.each<[string, string[], number]>([
    ['once', ['GET /healthz HTTP/1.1', 'host: localhost'], 200],
    ['with the dot of the root', ['GET /healthz HTTP/1.1', 'host: fleet.example.:8080'], 200],
    ['by an IPv6 address', ['GET /healthz HTTP/1.1', 'host: [::1]:8080'], 200],
    ['by a mapped address', ['GET /healthz HTTP/1.1', 'host: [::ffff:127.0.0.1]'], 200],
    ['twice', ['GET /healthz HTTP/1.1', 'host: localhost', 'host: evil.example'], 400],
    ['in the target too', ['GET http://evil.example/healthz HTTP/1.1', 'host: localhost'], 400],
    ['with two dots at its end', ['GET /healthz HTTP/1.1', 'host: localhost..'], 403],
    ['by an IPv6 address with a zone', ['GET /healthz HTTP/1.1', 'host: [::1%25eth0]'], 403],
    ['by a number that is no address as written', ['GET /healthz HTTP/1.1', 'host: 2130706433'], 403],
    ['with somebody else before an @', ['GET /healthz HTTP/1.1', 'host: localhost@evil.example'], 403],
    ['not at all', ['GET /healthz HTTP/1.0'], 403],
    ['by a forwarded name that nobody vouches for', ['GET /healthz HTTP/1.1', 'host: evil.example', 'x-forwarded-host: localhost'], 403],
  ])('%s', async (_what, lines, status) => {
    await open();
    expect(await raw(lines)).toBe(status);
  }); // prettier-ignore
});

describe('a proxy', () => {
  const forwarded = {
    'x-forwarded-for': '203.0.113.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'fleet.example',
  };
  const said = async () => await (await fetch(`${world.url}/api/v1/echo`, { headers: forwarded })).json();

  it('is not believed unless it is trusted', async () => {
    await open();
    expect(await said()).toMatch(/127\.0\.0\.1 http$/);
    const answer = await fetch(`${world.url}/api/v1/session`, { ...jsonInit({ token: world.token }), headers: { ...forwarded, 'content-type': 'application/json' } });
    expect(answer.headers.get('set-cookie')).not.toContain('Secure');
  }); // prettier-ignore

  it('that is trusted makes cookies secure, under a name that only https may set', async () => {
    await open({ trustedProxies: ['127.0.0.1/8'] });
    expect(await said()).toBe('203.0.113.7 https');
    const headers = { ...forwarded, 'content-type': 'application/json' };
    const answer = await fetch(`${world.url}/api/v1/session`, {
      ...jsonInit({ token: world.token }),
      headers,
    });
    const cookie = answer.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^__Host-holdfast-session=[^;]+;.*Path=\/;.*HttpOnly; Secure; SameSite=Strict/);
    const value = (cookie.split(';', 1)[0] ?? '').split('=')[1] ?? '';
    const change = (name: string, origin: string) =>
      fetch(`${world.url}/api/v1/echo`, {
        method: 'POST',
        headers: { ...forwarded, cookie: `${name}=${value}`, origin },
      });
    expect((await change('__Host-holdfast-session', 'https://fleet.example')).status).toBe(200);
    // A page of the same host without encryption is another origin; so is a cookie that it may have set.
    expect((await change('__Host-holdfast-session', 'http://fleet.example')).status).toBe(403);
    expect((await change('holdfast-session', 'https://fleet.example')).status).toBe(401);
  });
});

describe('budgets', () => {
  it('are each caller’s own, and apart for reading, changing and uploading', async () => {
    await open({ budgets: { reads: 2, writes: 1, uploads: 1 } });
    const [ann, ben] = [
      await world.tokenWith({ role: 'operator' }),
      await world.tokenWith({ role: 'operator' }),
    ];
    const ask = (token: string, method: string, type = 'application/json') =>
      fetch(`${world.url}/api/v1/echo`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': type },
        ...(method === 'PUT' ? { body: 'bytes' } : {}),
      });
    const statuses = [];
    for (const method of ['GET', 'GET', 'GET', 'POST', 'POST'])
      statuses.push((await ask(ann, method)).status);
    expect(statuses).toEqual([200, 200, 429, 200, 429]);
    const upload = () => ask(ann, 'PUT', 'application/octet-stream');
    expect([(await upload()).status, (await upload()).status]).toEqual([200, 429]);
    const limited = await ask(ann, 'GET');
    expect(limited.headers.get('retry-after')).toBe('60');
    expect(await problemOf(limited)).toMatchObject({ code: 'rate-limited' });
    expect([(await ask(ben, 'GET')).status, (await ask(ben, 'POST')).status]).toEqual([200, 200]);
  });

  it('for signing in are those of an address', async () => {
    await open({ budgets: { logins: 2 } });
    const statuses = [];
    for (let n = 0; n < 3; n++) {
      statuses.push((await fetch(`${world.url}/api/v1/session`, jsonInit({ token: world.token }))).status);
    }
    expect(statuses).toEqual([201, 201, 429]);
    expect((await world.call('/api/v1/echo')).status).toBe(200);
  });
});

describe('a method', () => {
  it.each(['x-http-method-override', 'x-http-method', 'x-method-override'])(
    'is not another by %s',
    async (header) => {
      await open();
      const answer = await world.call('/api/v1/echo', { headers: { [header]: 'POST' } });
      expect(await answer.json()).not.toBe('changed');
    },
  );

  it('is not another by a query or a form', async () => {
    await open();
    expect(await (await world.call('/api/v1/echo?_method=POST')).json()).not.toBe('changed');
  });
});

describe('an answer', () => {
  it('tells browsers to load, frame and send nothing that is not ours, and nobody what made it', async () => {
    await open();
    const { headers } = await fetch(`${world.url}/healthz`);
    const policy = headers.get('content-security-policy') ?? '';
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "frame-ancestors 'none'",
      "form-action 'self'",
      "base-uri 'none'",
    ]) {
      expect(policy).toContain(part);
    }
    expect(policy).not.toMatch(/unsafe|\*|http:/);
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'same-origin',
      'permissions-policy': expect.stringContaining('camera=()') as string,
    });
    for (const name of ['x-powered-by', 'server', 'access-control-allow-origin'])
      expect(headers.has(name)).toBe(false);
  });

  it('is in no cache when it comes from the API, refused or not', async () => {
    await open();
    for (const path of ['/api/v1/echo', '/api/v1/session', '/api/v1/openapi.json', '/api/v1/none']) {
      expect((await fetch(world.url + path)).headers.get('cache-control')).toBe('no-store');
    }
  });
});
