import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createAudit } from '#control-plane/store/audit.ts';
import { createLiveEvents } from '#control-plane/store/live-events.ts';
import { signStaged } from '#control-plane/trust/offline/sign-staged.ts';
import { openTrust } from '#control-plane/trust/open-trust.ts';
import { trustRoutes } from '#control-plane/trust/routes.ts';
import { TrustService } from '#control-plane/trust/trust-service.ts';
import { stagedRoleSchema, trustStatusSchema } from '#protocol/trust.ts';
import { apiWorld, type ApiWorld } from '../http/api-world.ts';
import { listed, someKeys } from './ceremony.ts';

const keys = someKeys(2);
const signers = { keys: listed(keys), threshold: 1 };
const TAKE_OVER = { kind: 'take-over', root: signers, targets: signers };

let folder: string;
let world: ApiWorld;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-trust-routes-'));
  const trust = await openTrust({ directory: folder, now: () => new Date() });
  world = await apiWorld({
    routers: (store) => {
      const parts = { store, audit: createAudit(store), events: createLiveEvents(store), nowMs: Date.now };
      return [trustRoutes(new TrustService({ trust, ...parts }))];
    },
  });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const send = (path: string, body: object, method = 'POST', token = world.token) =>
  world.call(`/api/v1/trust${path}`, {
    method,
    ...(method === 'POST' ? { body: JSON.stringify(body) } : {}),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
  });
const get = async (path: string): Promise<unknown> => (await world.call(`/api/v1/trust${path}`)).json();

it('a ceremony goes over the API: change, fetch, sign offline, send', async () => {
  expect(await (await send('/image/changes', TAKE_OVER)).json()).toEqual({
    published: [],
    staged: ['root', 'targets'],
  });
  for (const role of ['root', 'targets']) {
    const staged = stagedRoleSchema.parse(await get(`/image/${role}/staged`));
    const signature = signStaged(staged, (keys[0] ?? expect.fail()).privateKey);
    expect((await send(`/image/${role}/signatures`, signature)).status).toBe(200);
  }
  expect(await get('/image/root')).toMatchObject({ signed: { _type: 'root', version: 2 } });
  expect(await get('/image/snapshot')).toMatchObject({ signed: { _type: 'snapshot' } });
  const status = trustStatusSchema.parse(await get(''));
  expect(status.repositories[0]?.roles[0]).toMatchObject({ role: 'root', version: 2, staged: null });
});

it('what waits can be withdrawn', async () => {
  await send('/director/changes', { kind: 'take-over', root: signers });
  expect((await send('/director/root/staged', {}, 'DELETE')).status).toBe(204);
  expect(await get('/director/root/staged')).toMatchObject({ status: 404, code: 'not-found' });
});

it.each([
  ['/image/changes', { kind: 'no such thing' }, 400],
  ['/image/changes', { kind: 'rotate', role: '../root' }, 400],
  ['/elsewhere/changes', TAKE_OVER, 400],
  ['/image/root/signatures', { keyid: 'a'.repeat(64), sig: '00' }, 400],
  ['/image/root/signatures', { keyid: 'a'.repeat(64), sig: '00'.repeat(64) }, 404],
  ['/image/changes', { kind: 'remove-team', team: 'nobody' }, 404],
  ['/image/changes', { ...TAKE_OVER, root: { ...signers, threshold: 3 } }, 409],
])('POST %s with %j is answered with a problem', async (path, body, status) => {
  expect((await send(path, body)).status).toBe(status);
});

it('is for those who may', async () => {
  const [viewer, operator, releaser] = await Promise.all(
    (['viewer', 'operator', 'releaser'] as const).map((role) => world.tokenWith({ role })),
  );
  const headers = { authorization: `Bearer ${viewer}` };
  expect((await world.call('/api/v1/trust', { headers })).status).toBe(200);
  expect((await send('/image/changes', TAKE_OVER, 'POST', releaser)).status).toBe(403);
  await send('/image/changes', TAKE_OVER);
  const signature = { keyid: 'a'.repeat(64), sig: '00'.repeat(64) };
  expect((await send('/image/root/signatures', signature, 'POST', operator)).status).toBe(403);
  expect((await send('/image/root/signatures', signature, 'POST', releaser)).status).toBe(422);
  expect((await send('/image/root/staged', {}, 'DELETE', releaser)).status).toBe(403);
});
