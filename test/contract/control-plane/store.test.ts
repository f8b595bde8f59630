// What both databases promise, checked on each: the tables, transactions, the live event log and the
// audit chain.

import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from 'vitest';
import { openDatabase, type Store } from '#control-plane/store/database.ts';
import { createAudit } from '#control-plane/store/audit.ts';
import { createLiveEvents } from '#control-plane/store/live-events.ts';
import { nextCounter, readSetting, writeSetting } from '#control-plane/store/settings.ts';
import type { LiveEvent } from '#protocol/api.ts';
import { skipWithout } from '#test/skip-reason.ts';
import { temporaryStore, type TemporaryStore } from '#test/temporary-store.ts';
import { postgresFound, startPostgres, type ThrowawayPostgres } from '#test/throwaway-postgres.ts';

const news = (subject: string) =>
  ({ kind: 'device', subject, atMs: 1, summary: `${subject} changed` }) as const;
const entry = (subject: string) => ({ actor: 'token:admin', action: 'test.do', subject, detail: { n: 1 } });

describe('SQLite', () => {
  promises(() => Promise.resolve(undefined));
});

describe.skipIf(skipWithout('PostgreSQL', postgresFound(), 'install it, or set HOLDFAST_TEST_DATABASE_URL'))(
  'PostgreSQL',
  () => {
    let postgres: ThrowawayPostgres;
    beforeAll(async () => {
      postgres = await startPostgres();
    });
    afterAll(() => postgres[Symbol.asyncDispose]());
    promises(() => postgres.newDatabase());
  },
);

function promises(newDatabase: () => Promise<string | undefined>): void {
  let temporary: TemporaryStore;
  let store: Store;
  let databaseUrl: string | undefined;

  beforeEach(async () => {
    databaseUrl = await newDatabase();
    temporary = await temporaryStore(databaseUrl);
    store = temporary.store;
  });
  afterEach(() => temporary[Symbol.asyncDispose]());

  it('keeps what it holds when it is opened again', async () => {
    await writeSetting(store.db, 'name', 'first');
    await writeSetting(store.db, 'name', 'second');
    await using again = await openDatabase({ dataDir: temporary.dataDir, databaseUrl });
    expect(await readSetting(again.db, 'name')).toBe('second');
    expect(await readSetting(again.db, 'other')).toBeNull();
  });

  it('gives numbers back as numbers, times and sums included', async () => {
    await store.db
      .insertInto('models')
      .values({ name: 'digits', created_at_ms: 1_999_999_999_999 })
      .execute();
    const row = await store.db
      .selectFrom('models')
      .select(({ fn }) => [
        'created_at_ms',
        fn.countAll<number>().as('count'),
        fn.sum('created_at_ms').as('sum'),
      ])
      .groupBy('created_at_ms')
      .executeTakeFirstOrThrow();
    expect(row).toMatchObject({ created_at_ms: 1_999_999_999_999, count: 1, sum: 1_999_999_999_999 });
  });

  it('holds rows to what they refer to', async () => {
    const orphan = store.db.insertInto('versions').values({
      model: 'nobody',
      version: 1,
      contract_sha256: 'x',
      json_contract: '{}',
      json_evaluation: null,
      created_at_ms: 1,
    });
    await expect(orphan.execute()).rejects.toThrow(/foreign key/i);
  });

  it('undoes a transaction that throws, and tells nobody', async () => {
    const events = createLiveEvents(store);
    const heard: LiveEvent[] = [];
    events.subscribe((event) => heard.push(event));
    const failing = store.transaction(async (trx) => {
      await writeSetting(trx, 'half', 'done');
      await events.append(news('edge-1'), trx);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await readSetting(store.db, 'half')).toBeNull();
    expect(await events.since(0, 10)).toEqual([]);
    expect(heard).toEqual([]);
  });

  it('tells listeners of an event only once it is stored', async () => {
    const events = createLiveEvents(store);
    const seen: (number | 'committed')[] = [];
    const stop = events.subscribe((event) => seen.push(event.id));
    await store.transaction(async (trx) => {
      await events.append(news('a'), trx);
      await events.append(news('b'), trx);
      expect(seen).toEqual([]);
    });
    seen.push('committed');
    stop();
    await events.append(news('c'));
    expect(seen).toEqual([1, 2, 'committed']);
    expect(await events.since(1, 10)).toEqual([
      { id: 2, ...news('b') },
      { id: 3, ...news('c') },
    ]);
  });

  it('gives events of concurrent transactions ids that rise in the order of their commits', async () => {
    const events = createLiveEvents(store);
    const committed: number[] = [];
    events.subscribe((event) => committed.push(event.id));
    await Promise.all(
      Array.from({ length: 400 }, (_, n) =>
        store.transaction(async (trx) => {
          await writeSetting(trx, `s${n}`, 'x');
          await events.append(news(`d${n}`), trx);
        }),
      ),
    );
    expect(committed).toEqual(Array.from({ length: 400 }, (_, n) => n + 1));
  });

  it('keeps a bounded number of events and never gives an id twice', async () => {
    const events = createLiveEvents(store, { maxEvents: 100 });
    await store.transaction(async (trx) => {
      for (let n = 0; n < 300; n++) await events.append(news('edge-1'), trx);
    });
    expect(await events.bounds()).toEqual({ oldestId: 157, newestId: 300 });
  });

  it('chains audit entries of concurrent writers without a fork', async () => {
    const audit = createAudit(store, () => 5);
    await Promise.all(Array.from({ length: 12 }, (_, n) => audit.record(entry(`s${n}`))));
    const [newest] = await audit.before(Number.MAX_SAFE_INTEGER, 1);
    expect(await audit.verify()).toEqual({ ok: true, entries: 12, headSha256: newest?.entrySha256 });
  });

  it('finds the first audit entry that was changed', async () => {
    const audit = createAudit(store, () => 5);
    for (const subject of ['a', 'b', 'c']) await audit.record(entry(subject));
    await store.db
      .updateTable('audit')
      .set('actor' as never, 'somebody' as never)
      .where('id', '=', 2)
      .execute();
    expect(await audit.verify()).toEqual({ ok: false, brokenId: 2, entries: 1 });
  });

  it('finds that an audit entry was taken out', async () => {
    const audit = createAudit(store, () => 5);
    for (const subject of ['a', 'b', 'c']) await audit.record(entry(subject));
    await store.db.deleteFrom('audit').where('id', '=', 2).execute();
    expect(await audit.verify()).toEqual({ ok: false, brokenId: 3, entries: 1 });
  });

  it('counts up from 1, and takes back what a failed transaction took', async () => {
    expect(await store.transaction((trx) => nextCounter(trx, 'c'))).toBe(1);
    await expect(
      store.transaction(async (trx) => {
        await nextCounter(trx, 'c');
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await store.transaction((trx) => nextCounter(trx, 'c'))).toBe(2);
  });
}
