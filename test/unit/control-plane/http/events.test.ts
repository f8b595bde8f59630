import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventRoutes } from '#control-plane/http/event-routes.ts';
import { EventStreams, type EventStreamLimits } from '#control-plane/http/event-streams.ts';
import { createAudit } from '#control-plane/store/audit.ts';
import { createLiveEvents, type LiveEvents } from '#control-plane/store/live-events.ts';
import { apiWorld, problemOf, type ApiWorld } from './api-world.ts';

const MAX_EVENTS = 1_000;
let world: ApiWorld;
let events: LiveEvents;
let streams: EventStreams;
/** Run around the first question a back-fill puts to the table. */
let beforeFirstRead: () => Promise<void>;
let afterFirstRead: () => Promise<void>;

async function openWorld(limits: Partial<EventStreamLimits> = {}) {
  beforeFirstRead = afterFirstRead = () => Promise.resolve();
  let reads = 0;
  world = await apiWorld({
    routers: (store) => {
      events = createLiveEvents(store, { maxEvents: MAX_EVENTS });
      const since: LiveEvents['since'] = async (id, limit) => {
        const isFirst = reads++ === 0;
        if (isFirst) await beforeFirstRead();
        const batch = await events.since(id, limit);
        if (isFirst) await afterFirstRead();
        return batch;
      };
      streams = new EventStreams({ ...events, since }, limits);
      return [eventRoutes({ streams, audit: createAudit(store), maySee: () => Promise.resolve(false) })];
    },
  });
}
beforeEach(() => openWorld());
afterEach(async () => {
  streams[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
});

const append = (count: number, summary = 'news') =>
  world.store.transaction(async (trx) => {
    for (let n = 0; n < count; n++)
      await events.append({ kind: 'device', subject: 'edge-1', atMs: 1, summary }, trx);
  });

/** Reads a stream field by field; `take` waits for that many more events. */
class Reader {
  readonly ids: number[] = [];
  readonly lines: string[] = [];
  isEnded = false;
  #waiting = (): void => undefined;

  constructor(answer: Response) {
    void this.#read(answer);
  }

  async #read(answer: Response): Promise<void> {
    let rest = '';
    try {
      for await (const text of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        this.lines.push(...lines);
        for (const line of lines) {
          if (line.startsWith('data: {"')) this.ids.push((JSON.parse(line.slice(6)) as { id: number }).id);
        }
        this.#waiting();
      }
    } catch {
      // A destroyed connection is an end like any other here.
    }
    this.isEnded = true;
    this.#waiting();
  }

  until(condition: (reader: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = () => {
        if (condition(this)) resolve();
      };
      this.#waiting();
    });
  }
}

async function open(lastEventId?: number | string): Promise<Reader> {
  const headers = lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) };
  const answer = await world.call('/api/v1/events', { headers });
  expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  return new Reader(answer);
}

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, n) => first + n);

describe('the event stream', () => {
  it('begins with now when nothing was seen before, and names where to go on', async () => {
    await append(3);
    const reader = await open();
    await reader.until(({ lines }) => lines.includes('id: 3'));
    await append(2);
    await reader.until(({ ids }) => ids.length === 2);
    expect(reader.ids).toEqual([4, 5]);
  });

  it('goes on after the last event seen, without a gap or a repetition, while more come in', async () => {
    await append(700);
    beforeFirstRead = () => append(40);
    afterFirstRead = () => append(60);
    const reader = await open(50);
    await append(5);
    await reader.until(({ ids }) => ids.at(-1) === 805);
    expect(reader.ids).toEqual(range(51, 805));
  });

  it('repeats nothing that it heard of before it read it', async () => {
    beforeFirstRead = () => append(5);
    const reader = await open(0);
    await append(1);
    await reader.until(({ ids }) => ids.at(-1) === 6);
    expect(reader.ids).toEqual(range(1, 6));
  });

  it('loses nothing when more comes in during the back-fill than it holds', async () => {
    await world[Symbol.asyncDispose]();
    await openWorld({ maxBehind: 10 });
    afterFirstRead = () => append(25);
    const reader = await open(0);
    await append(1);
    await reader.until(({ ids }) => ids.at(-1) === 26);
    expect(reader.ids).toEqual(range(1, 26));
  });

  it.each([
    ['is older than what is kept', 1],
    ['was never given', 99_999],
  ])('says that the state must be read anew when the last event %s', async (_what, lastEventId) => {
    await append(1_500);
    const reader = await open(lastEventId);
    await reader.until(({ lines }) => lines.includes('id: 1500'));
    expect(reader.lines).toContain('event: reset');
    await append(1);
    await reader.until(({ ids }) => ids.length > 0);
    expect(reader.ids).toEqual([1_501]);
  });

  it('refuses a Last-Event-ID that is no number', async () => {
    const answer = await world.call('/api/v1/events', { headers: { 'last-event-id': 'x' } });
    expect(await problemOf(answer)).toMatchObject({ status: 400, code: 'bad-request' });
  });

  it('ends the stream of a client that does not read, and lets it resume where it was', async () => {
    await world[Symbol.asyncDispose]();
    await openWorld({ maxBehind: 20, maxUnsentBytes: 64 * 1024 });
    const answer = await world.call('/api/v1/events');
    const summary = 'x'.repeat(50_000);
    // More than the kernel's socket buffers and both limits hold together.
    for (let n = 0; n < 10; n++) await append(50, summary);
    const slow = new Reader(answer);
    await slow.until(({ isEnded }) => isEnded);
    expect(slow.ids.length).toBeLessThan(500);
    const resumed = await open(slow.ids.at(-1) ?? 0);
    await resumed.until(({ ids }) => ids.at(-1) === 500);
    expect([...slow.ids, ...resumed.ids]).toEqual(range(1, 500));
  });

  it('sends a heartbeat while nothing happens', async () => {
    await world[Symbol.asyncDispose]();
    await openWorld({ heartbeatMs: 20 });
    const reader = await open();
    await reader.until(({ lines }) => lines.includes(': heartbeat'));
    expect(reader.ids).toEqual([]);
  });

  it('is bounded in number', async () => {
    await world[Symbol.asyncDispose]();
    await openWorld({ maxStreams: 1 });
    await open();
    expect(await problemOf(await world.call('/api/v1/events'))).toMatchObject({ status: 503 });
  });

  it('is bounded in number for each caller, so that one cannot take all', async () => {
    await world[Symbol.asyncDispose]();
    await openWorld({ maxStreamsEach: 1 });
    await open();
    expect(await problemOf(await world.call('/api/v1/events'))).toMatchObject({ status: 429 });
    const authorization = `Bearer ${await world.tokenWith({ role: 'viewer' })}`;
    expect((await world.call('/api/v1/events', { headers: { authorization } })).status).toBe(200);
  });

  it('ends at the next heartbeat once the token behind it is revoked', async () => {
    await world[Symbol.asyncDispose]();
    await openWorld({ heartbeatMs: 20 });
    const authorization = `Bearer ${await world.tokenWith({ role: 'viewer' })}`;
    const reader = new Reader(await world.call('/api/v1/events', { headers: { authorization } }));
    await reader.until(({ lines }) => lines.includes(': heartbeat'));
    await world.store.db.deleteFrom('api_tokens').where('id', '!=', 'admin').execute();
    await reader.until(({ isEnded }) => isEnded);
  });

  it('holds no place for a client that left while its credentials were looked up', async () => {
    await world[Symbol.asyncDispose]();
    await openWorld({ heartbeatMs: 20, maxStreamsEach: 1 });
    const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
    await world.store.transaction(async () => {
      socket.write(
        `GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${world.token}\r\n\r\n`,
      );
      const [incoming] = (await once(world.server, 'request')) as [IncomingMessage];
      socket.destroy();
      await once(incoming.socket, 'close');
    });
    await expect.poll(async () => (await world.call('/api/v1/events')).status).toBe(200);
  });

  it('ends when the server stops', async () => {
    const reader = await open();
    expect(reader.isEnded).toBe(false);
    streams[Symbol.dispose]();
    await reader.until(({ isEnded }) => isEnded);
    expect(reader.isEnded).toBe(true);
  });
});

describe('the audit log', () => {
  it('is read newest first, page by page, and checked as a chain', async () => {
    const audit = createAudit(world.store, () => 9);
    for (let n = 1; n <= 3; n++)
      await audit.record({ actor: 'system', action: 'a', subject: `s${n}`, detail: { n } });
    const page = await (await world.call('/api/v1/audit?limit=2')).json();
    expect(page).toMatchObject({ items: [{ id: 3, subject: 's3', detail: { n: 3 }, atMs: 9 }, { id: 2 }] });
    expect(await (await world.call('/api/v1/audit?before=2')).json()).toMatchObject({ items: [{ id: 1 }] });
    expect(await (await world.call('/api/v1/audit/check')).json()).toMatchObject({ ok: true, entries: 3 });
  });
});
