import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { apiRouter, route } from '#control-plane/http/route.ts';
import { apiWorld, jsonInit, problemOf, type ApiWorld } from '../http/api-world.ts';

function counter() {
  const router = apiRouter();
  let count = 0;
  route(router, { method: 'post', path: '/count', tag: 't', summary: 's', access: 'operator', response: z.int() }, () => ++count); // prettier-ignore
  return router;
}

let world: ApiWorld;
let nowMs = 1_000_000;
const HOUR_MS = 3_600_000;
beforeEach(async () => {
  nowMs = 1_000_000;
  world = await apiWorld({ routers: () => [counter()], maxFailures: 3, nowMs: () => nowMs });
});
afterEach(() => world[Symbol.asyncDispose]());

async function signIn(): Promise<string> {
  const answer = await fetch(`${world.url}/api/v1/session`, jsonInit({ token: world.token }));
  expect(answer.status).toBe(201);
  return answer.headers.get('set-cookie') ?? '';
}

const valueOf = (cookie: string): string => cookie.split(';', 1)[0] ?? '';
const withCookie = (path: string, method: string, headers: Record<string, string>) =>
  fetch(`${world.url}/api/v1${path}`, { method, headers });

describe('a session', () => {
  it('is a cookie that scripts and other sites cannot use', async () => {
    const cookie = await signIn();
    expect(cookie).toMatch(/^holdfast-session=[A-Za-z0-9_-]{43};/);
    expect(cookie).toContain('HttpOnly');
    expect(cookie).toContain('SameSite=Strict');
    expect(cookie).not.toContain(world.token);
  });

  it('carries requests of the console, until it is ended', async () => {
    const cookie = valueOf(await signIn());
    const own = { cookie, 'sec-fetch-site': 'same-origin' };
    expect(await (await withCookie('/session', 'GET', own)).json()).toEqual({
      actor: 'token:admin',
      via: 'session',
      grants: [{ role: 'admin' }],
    });
    expect((await withCookie('/count', 'POST', own)).status).toBe(200);
    expect((await withCookie('/session', 'DELETE', own)).status).toBe(204);
    expect((await withCookie('/session', 'GET', own)).status).toBe(401);
  });

  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['another port of this host', { 'sec-fetch-site': 'same-site' }],
    ['a page whose origin is another', { origin: 'http://evil.example' }],
    ['a page without an origin', { origin: 'null' }],
    ['something that says nothing of where it comes from', {}],
  ])('changes nothing for %s', async (_what, headers) => {
    const cookie = valueOf(await signIn());
    const answer = await withCookie('/count', 'POST', { cookie, ...headers });
    expect(await problemOf(answer)).toMatchObject({ status: 403, code: 'forbidden' });
  });

  it('serves an older browser by its origin', async () => {
    const cookie = valueOf(await signIn());
    expect((await withCookie('/count', 'POST', { cookie, origin: world.url })).status).toBe(200);
  });

  it('ends by itself after twelve hours, however much it is used', async () => {
    const cookie = valueOf(await signIn());
    const status = async () => (await withCookie('/session', 'GET', { cookie })).status;
    for (let hour = 1; hour < 12; hour++) {
      nowMs += HOUR_MS;
      expect(await status()).toBe(200);
    }
    nowMs += HOUR_MS;
    expect(await status()).toBe(401);
  });

  it('ends by itself after two hours without use', async () => {
    const cookie = valueOf(await signIn());
    nowMs += 2 * HOUR_MS;
    expect((await withCookie('/session', 'GET', { cookie })).status).toBe(401);
  });

  it('is another at each sign-in, and the one of before is over', async () => {
    const before = valueOf(await signIn());
    const init = jsonInit({ token: world.token });
    const answer = await fetch(`${world.url}/api/v1/session`, {
      ...init,
      headers: { ...init.headers, cookie: before, 'sec-fetch-site': 'same-origin' },
    });
    expect(valueOf(answer.headers.get('set-cookie') ?? '')).not.toBe(before);
    expect((await withCookie('/session', 'GET', { cookie: before })).status).toBe(401);
  });

  it('ends with the token behind it, at its end or when it is revoked', async () => {
    const keeper = {
      label: 'token:admin',
      grants: [{ role: 'admin' as const }],
      tokenId: 'admin',
      expiresAtMs: null,
    };
    const make = (name: string) =>
      world.tokens.create({ name, grants: [{ role: 'viewer' }], ttlMs: HOUR_MS }, keeper);
    const [short, gone] = [await make('short'), await make('gone')];
    const cookies: string[] = [];
    for (const { token } of [short, gone]) {
      const answer = await fetch(`${world.url}/api/v1/session`, jsonInit({ token }));
      cookies.push(valueOf(answer.headers.get('set-cookie') ?? ''));
    }
    const statuses = () =>
      Promise.all(cookies.map(async (cookie) => (await withCookie('/session', 'GET', { cookie })).status));
    expect(await statuses()).toEqual([200, 200]);
    await world.tokens.revoke(gone.id, keeper);
    expect(await statuses()).toEqual([200, 401]);
    nowMs += HOUR_MS;
    expect(await statuses()).toEqual([401, 401]);
  });

  it('is listed and ended by its owner, and by nobody else', async () => {
    const [one, other] = [valueOf(await signIn()), valueOf(await signIn())];
    const listed = (await (await withCookie('/sessions', 'GET', { cookie: one })).json()) as { items: { id: string; isCurrent: boolean }[] }; // prettier-ignore
    expect(listed.items.filter(({ isCurrent }) => isCurrent)).toHaveLength(1);
    const id = listed.items.find(({ isCurrent }) => !isCurrent)?.id ?? '';
    const stranger = await world.tokenWith({ role: 'admin' });
    const end = (authorization: string) =>
      fetch(`${world.url}/api/v1/sessions/${id}`, { method: 'DELETE', headers: { authorization } });
    expect((await end(`Bearer ${stranger}`)).status).toBe(404);
    expect((await withCookie('/session', 'GET', { cookie: other })).status).toBe(200);
    expect((await end(`Bearer ${world.token}`)).status).toBe(204);
    expect((await withCookie('/session', 'GET', { cookie: other })).status).toBe(401);
  });

  it('is not given for a wrong token, nor guessed at without end', async () => {
    const statuses = [];
    for (let n = 0; n < 4; n++) {
      statuses.push((await fetch(`${world.url}/api/v1/session`, jsonInit({ token: 'hft_wrong' }))).status);
    }
    expect(statuses).toEqual([401, 401, 401, 429]);
  });

  it('is not begun from another site', async () => {
    const init = jsonInit({ token: world.token });
    const answer = await fetch(`${world.url}/api/v1/session`, {
      ...init,
      headers: { 'content-type': 'application/json', 'sec-fetch-site': 'cross-site' },
    });
    expect(await problemOf(answer)).toMatchObject({ status: 403 });
  });
});
