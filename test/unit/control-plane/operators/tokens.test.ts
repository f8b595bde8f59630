import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Grant } from '#protocol/access.ts';
import { apiTokenSchema, newApiTokenSchema, type ApiToken, type NewApiToken } from '#protocol/operators.ts';
import { apiWorld, jsonInit, problemOf, type ApiWorld, type CallInit } from '../http/api-world.ts';

const DAY_MS = 86_400_000;
let world: ApiWorld;
let nowMs: number;
beforeEach(async () => {
  nowMs = 1_700_000_000_000;
  world = await apiWorld({ nowMs: () => nowMs });
});
afterEach(() => world[Symbol.asyncDispose]());

const as = (token: string, path: string, init: CallInit = {}) =>
  fetch(`${world.url}/api/v1${path}`, {
    ...init,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
const create = (token: string, body: object) => as(token, '/tokens', jsonInit(body));

async function made(body: object, by = world.token): Promise<NewApiToken> {
  const answer = await create(by, body);
  expect(answer.status).toBe(201);
  return newApiTokenSchema.parse(await answer.json());
}

async function listed(token = world.token): Promise<ApiToken[]> {
  const { items } = (await (await as(token, '/tokens')).json()) as { items: unknown[] };
  return items.map((item) => apiTokenSchema.parse(item));
}

const VIEWER: Grant[] = [{ role: 'viewer' }];

describe('an API token', () => {
  it('is shown once, stored as a hash, and good for 90 days', async () => {
    const token = await made({ name: 'ci', grants: VIEWER });
    expect(token).toMatchObject({
      createdBy: 'token:admin',
      expiresAtMs: nowMs + 90 * DAY_MS,
      lastUsedAtMs: null,
    });
    expect(JSON.stringify(await listed())).not.toContain(token.token);
    const stored = JSON.stringify(await world.store.db.selectFrom('api_tokens').selectAll().execute());
    expect(stored).not.toContain(token.token);
    nowMs += 90 * DAY_MS - 1;
    expect(await (await as(token.token, '/session')).json()).toMatchObject({
      actor: 'token:ci',
      grants: VIEWER,
    });
  });

  it('that has expired says when, and is nobody', async () => {
    const { token } = await made({ name: 'ci', grants: VIEWER, ttlMs: 60_000 });
    nowMs += 60_000;
    const problem = await problemOf(await as(token, '/session'));
    expect(problem).toMatchObject({ status: 401, code: 'token-expired' });
    expect(problem.detail).toBe('the API token ci expired at 2023-11-14T22:14:20.000Z');
    expect(await problemOf(await fetch(`${world.url}/api/v1/session`, jsonInit({ token })))).toMatchObject({
      code: 'token-expired',
    });
  });

  it('is not made for longer than 366 days, nor for nobody, nor for nothing', async () => {
    for (const wrong of [
      { ttlMs: 367 * DAY_MS },
      { grants: [] },
      { name: 'No Name' },
      { grants: [{ role: 'god' }] },
    ]) {
      expect((await create(world.token, { name: 'ci', grants: VIEWER, ...wrong })).status).toBe(400);
    }
    await made({ name: 'ci', grants: VIEWER });
    expect(await problemOf(await create(world.token, { name: 'ci', grants: VIEWER }))).toMatchObject({
      status: 409,
    });
  });

  it('shows when it was used, written once a minute at most', async () => {
    const { token } = await made({ name: 'ci', grants: VIEWER });
    const used = async () => (await listed()).find(({ name }) => name === 'ci')?.lastUsedAtMs;
    await as(token, '/session');
    const firstMs = nowMs;
    nowMs += 59_000;
    await as(token, '/session');
    expect(await used()).toBe(firstMs);
    nowMs += 1_000;
    await as(token, '/session');
    expect(await used()).toBe(nowMs);
  });

  it('is void at once when it is revoked, and the audit log tells', async () => {
    const { id, token } = await made({ name: 'ci', grants: VIEWER });
    expect((await as(world.token, `/tokens/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect(await problemOf(await as(token, '/session'))).toMatchObject({ status: 401, code: 'unauthorized' });
    const rows = await world.store.db.selectFrom('audit').select(['actor', 'action', 'subject']).execute();
    expect(rows).toEqual([
      { actor: 'token:admin', action: 'token.create', subject: id },
      { actor: 'token:admin', action: 'token.revoke', subject: id },
    ]);
  });

  it('gets another text when it is rotated, and the old one is void', async () => {
    const before = await made({ name: 'ci', grants: VIEWER });
    const answer = await as(world.token, `/tokens/${before.id}/rotate`, jsonInit({ ttlMs: 120_000 }));
    const after = newApiTokenSchema.parse(await answer.json());
    expect(after).toMatchObject({ id: before.id, name: 'ci', grants: VIEWER, expiresAtMs: nowMs + 120_000 });
    expect((await as(before.token, '/session')).status).toBe(401);
    expect((await as(after.token, '/session')).status).toBe(200);
  });
});

describe('nobody makes a token that may more', () => {
  const vision: Grant = { role: 'admin', teams: ['vision'] };

  it('than an admin of one team has', async () => {
    const admin = await world.tokenWith(vision);
    for (const grants of [
      [{ role: 'viewer' }],
      [{ role: 'viewer', teams: ['audio'] }],
      [{ ...vision, group: { site: 'x' } }],
    ]) {
      expect(await problemOf(await create(admin, { name: 'more', grants }))).toMatchObject({ status: 403 });
    }
    const token = await made({ name: 'less', grants: [{ role: 'releaser', teams: ['vision'] }] }, admin);
    expect(token.createdBy).toMatch(/^token:made-/);
  });

  it('nor one that lasts longer, neither new nor by rotating itself', async () => {
    const admin = await made({ name: 'short', grants: [{ role: 'admin' }], ttlMs: 600_000 });
    const longer = await made({ name: 'longer', grants: VIEWER, ttlMs: 10 * DAY_MS }, admin.token);
    expect(longer.expiresAtMs).toBe(admin.expiresAtMs);
    const answer = await as(admin.token, `/tokens/${admin.id}/rotate`, jsonInit({ ttlMs: 10 * DAY_MS }));
    expect(newApiTokenSchema.parse(await answer.json()).expiresAtMs).toBe(admin.expiresAtMs);
  });

  it.each(['viewer', 'operator', 'releaser'] as const)('as %s at all', async (role) => {
    const token = await world.tokenWith({ role });
    expect(await problemOf(await create(token, { name: 'x', grants: VIEWER }))).toMatchObject({
      status: 403,
    });
  });

  it('by rotating one that somebody else was given', async () => {
    const admin = await world.tokenWith(vision);
    const { id } = await made({ name: 'all', grants: VIEWER });
    expect((await as(admin, `/tokens/${id}/rotate`, jsonInit({}))).status).toBe(404);
  });
});

describe('tokens that are seen', () => {
  it('are all by an admin, and the own by everybody else', async () => {
    const { token, id } = await made({ name: 'ci', grants: VIEWER });
    const other = await made({ name: 'other', grants: VIEWER });
    expect((await listed()).map(({ name }) => name)).toEqual(['admin', 'ci', 'other']);
    expect((await listed(token)).map(({ name }) => name)).toEqual(['ci']);
    expect((await as(token, `/tokens/${other.id}`, { method: 'DELETE' })).status).toBe(404);
    expect((await as(token, `/tokens/${id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await as(token, '/session')).status).toBe(401);
  });
});
