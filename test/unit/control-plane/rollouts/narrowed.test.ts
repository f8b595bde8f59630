// Rollouts, telemetry and live events for people whose grants are narrowed to a team, a group of devices, or both.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertDevice, labelsOfDevice } from '#control-plane/fleet/devices.ts';
import { eventRoutes } from '#control-plane/http/event-routes.ts';
import { EventStreams } from '#control-plane/http/event-streams.ts';
import { eventSight } from '#control-plane/operators/event-sight.ts';
import { rolloutRoutes } from '#control-plane/rollouts/routes.ts';
import { RolloutService } from '#control-plane/rollouts/service.ts';
import { createAudit } from '#control-plane/store/audit.ts';
import type { Store } from '#control-plane/store/database.ts';
import { createLiveEvents, type LiveEvents } from '#control-plane/store/live-events.ts';
import type { Grant } from '#protocol/access.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { apiWorld, jsonInit, type ApiWorld, type CallInit } from '../http/api-world.ts';

const SITES = { 'berlin-1': 'berlin', 'berlin-2': 'berlin', 'paris-1': 'paris' };
const TEAMS: Readonly<Record<string, string>> = { digits: 'vision', words: 'audio' };
const VISION = { teams: ['vision'] };
const BERLIN = { group: { site: 'berlin' } };

let world: ApiWorld;
let events: LiveEvents;
let streams: EventStreams;

function routers(store: Store) {
  events = createLiveEvents(store);
  const audit = createAudit(store);
  const rollouts = new RolloutService({
    store, events, audit,
    fleet: { order: () => Promise.resolve({ seq: 1 }) },
    releaseOf: () => Promise.resolve({}),
    wake: () => undefined,
    now: () => 1,
  }); // prettier-ignore
  const registry = { getJob: () => Promise.reject(new HoldfastError('not-found', 'no job')) };
  streams = new EventStreams(events);
  return [
    rolloutRoutes(rollouts),
    eventRoutes({ streams, audit, maySee: eventSight({ registry, rollouts }) }),
  ];
}

beforeEach(async () => {
  let store: Store | undefined;
  world = await apiWorld({
    routers: (opened) => routers((store = opened)),
    scopes: {
      teamOf: (model) => TEAMS[model] ?? null,
      labelsOf: (id) => (store === undefined ? Promise.resolve(null) : labelsOfDevice(store.db, id)),
    },
  });
  for (const [id, site] of Object.entries(SITES)) {
    const jsonLabels = JSON.stringify({ site });
    await insertDevice(world.store.db, {
      id,
      profile: 'x86-cpu',
      jsonLabels,
      state: 'active',
      spkiSha256: id,
      nowMs: 1,
    });
  }
});
afterEach(async () => {
  streams[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
});

async function as(token: string, path: string, init: CallInit = {}) {
  const answer = await fetch(`${world.url}/api/v1${path}`, {
    ...init,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
  return {
    status: answer.status,
    body: (await answer.json()) as { id: string; code: string; items: { id: string }[] },
  };
}

const create = (token: string, model: string, selector: object) =>
  as(token, '/rollouts', jsonInit({ model, version: 1, selector, draft: true }));

describe('a rollout', () => {
  it.each<[string, Omit<Grant, 'role'>, string, object, number]>([
    ['its team and its group', { ...VISION, ...BERLIN }, 'digits', { labels: { site: 'berlin' } }, 201],
    ['another team', { ...VISION, ...BERLIN }, 'words', { labels: { site: 'berlin' } }, 403],
    ['a model of no team', VISION, 'orphan', { labels: { site: 'berlin' } }, 403],
    [
      'one device outside the group',
      { ...VISION, ...BERLIN },
      'digits',
      { devices: ['berlin-1', 'paris-1'] },
      403,
    ],
    ['the whole fleet', { ...VISION, ...BERLIN }, 'digits', {}, 403],
    ['the whole fleet, narrowed to the team only', VISION, 'digits', {}, 201],
    ['any team, narrowed to the group only', BERLIN, 'words', { labels: { site: 'berlin' } }, 201],
  ])(
    'is made by a narrowed releaser for %s: only if her grant covers all of it',
    async (_what, narrowing, model, selector, status) => {
      const token = await world.tokenWith({ role: 'releaser', ...narrowing });
      expect((await create(token, model, selector)).status).toBe(status);
    },
  );

  it('is seen and steered by narrowed people only where they cover all its devices', async () => {
    const berlin = (await create(world.token, 'digits', { labels: { site: 'berlin' } })).body.id;
    const all = (await create(world.token, 'words', { devices: ['paris-1'] })).body.id;
    const operator = await world.tokenWith({ role: 'operator', ...BERLIN });
    expect((await as(operator, '/rollouts')).body.items.map(({ id }) => id)).toEqual([berlin]);
    expect((await as(operator, `/rollouts/${berlin}`)).status).toBe(200);
    expect((await as(operator, `/rollouts/${all}`)).status).toBe(403);
    expect((await as(operator, `/rollouts/${all}/abort`, { method: 'POST' })).body).toMatchObject({
      code: 'forbidden',
    });
    expect((await as(operator, `/rollouts/${berlin}/start`, { method: 'POST' })).status).toBe(403);
    expect((await as(operator, `/rollouts/${berlin}/abort`, { method: 'POST' })).status).toBe(200);
    expect((await as(world.token, `/rollouts/${all}`)).body).toMatchObject({ phase: 'draft' });
  });

  it('that somebody else asked for is not shown by repeating the request id', async () => {
    const requestId = 'request-0001';
    const body = { model: 'digits', version: 1, selector: {}, draft: true, requestId };
    expect((await as(world.token, '/rollouts', jsonInit(body))).status).toBe(201);
    const token = await world.tokenWith({ role: 'releaser', ...VISION, ...BERLIN });
    expect((await as(token, '/rollouts', jsonInit(body))).status).toBe(403);
  });
});

describe('live events', () => {
  it('are only of what a narrowed grant covers', async () => {
    const berlin = (await create(world.token, 'digits', { labels: { site: 'berlin' } })).body.id;
    const paris = (await create(world.token, 'words', { labels: { site: 'paris' } })).body.id;
    const subjects = ['berlin-1', 'paris-1', 'unknown-1', 'berlin-2'];
    for (const subject of subjects) await events.append({ kind: 'device', subject, atMs: 1, summary: 's' });
    await events.append({ kind: 'model', subject: 'digits/1', atMs: 1, summary: 's' });
    await events.append({ kind: 'claim', subject: 'abc', atMs: 1, summary: 's' });
    await events.append({ kind: 'job', subject: 'gone', atMs: 1, summary: 's' });
    await events.append({ kind: 'device', subject: 'berlin-1', atMs: 2, summary: 'last' });
    const read = async (token: string) => {
      const answer = await fetch(`${world.url}/api/v1/events?after=0`, { headers: { authorization: `Bearer ${token}` } });
      const seen: string[] = [];
      for await (const text of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        seen.push(...[...text.matchAll(/"subject":"([^"]+)"/g)].map(([, subject]) => subject ?? ''));
        if (text.includes('"summary":"last"')) break;
      }
      return seen;
    };
    expect(await read(await world.tokenWith({ role: 'viewer', ...BERLIN }))).toEqual([berlin, 'berlin-1', 'berlin-2', 'berlin-1']);
    expect(await read(await world.tokenWith({ role: 'viewer', ...VISION, ...BERLIN }))).toEqual([berlin, 'berlin-1', 'berlin-2', 'digits/1', 'berlin-1']);
    expect(await read(world.token)).toEqual([berlin, paris, ...subjects, 'digits/1', 'abc', 'gone', 'berlin-1']);
  });
}); // prettier-ignore
