import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { acceptEntry, type Acceptance } from '#control-plane/fleet/inbox.ts';
import type { Store } from '#control-plane/store/database.ts';
import { temporaryStore } from '#test/temporary-store.ts';

let temporary: Awaited<ReturnType<typeof temporaryStore>>;
let store: Store;

beforeAll(async () => {
  temporary = await temporaryStore();
  store = temporary.store;
});
afterAll(() => temporary[Symbol.asyncDispose]());
beforeEach(() => store.db.deleteFrom('inbox').execute());

let clockMs = 0;
const accept = (seq: number, options: { boot?: string; deviceId?: string; heldFromSeq?: number } = {}) =>
  store.transaction<Acceptance>((trx) =>
    acceptEntry(trx, { deviceId: 'camera-1', boot: 'b1', seq, ...options }, ++clockMs),
  );
const rows = async (): Promise<number[]> =>
  (await store.db.selectFrom('inbox').select('seq').orderBy('seq').execute()).map((row) => row.seq);

describe('the inbox', () => {
  test('tells new from known and how far nothing is missing, like a set of all that ever came', async () => {
    const sequences = fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(sequences, async (sequence) => {
        await store.db.deleteFrom('inbox').execute();
        const seen = new Set<number>();
        for (const seq of sequence) {
          const isNew = !seen.has(seq);
          seen.add(seq);
          let upToSeq = 0;
          while (seen.has(upToSeq + 1)) upToSeq++;
          expect(await accept(seq)).toEqual({ isNew, upToSeq });
        }
        const ahead = [...seen].filter((seq) => !seen.has(seq - 1) && seq > 1);
        if (sequence.length > 0 && ahead.length === 0) expect(await rows()).toHaveLength(1);
      }),
      { numRuns: 60 },
    );
  });

  test('takes one row a boot when nothing is missing', async () => {
    for (let seq = 1; seq <= 50; seq++) await accept(seq);
    expect(await rows()).toEqual([50]);
  });

  test('keeps boots and devices apart', async () => {
    expect(await accept(1)).toEqual({ isNew: true, upToSeq: 1 });
    expect(await accept(1, { boot: 'b2' })).toEqual({ isNew: true, upToSeq: 1 });
    expect(await accept(1, { deviceId: 'camera-2' })).toEqual({ isNew: true, upToSeq: 1 });
    expect(await accept(1)).toEqual({ isNew: false, upToSeq: 1 });
  });

  test('goes past what the device says it no longer holds, and no further', async () => {
    await accept(1);
    await accept(5);
    expect(await accept(7)).toEqual({ isNew: true, upToSeq: 1 });
    expect(await accept(8, { heldFromSeq: 5 })).toEqual({ isNew: true, upToSeq: 5 });
    expect(await accept(6)).toEqual({ isNew: true, upToSeq: 8 });
    expect(await accept(3)).toEqual({ isNew: false, upToSeq: 8 });
  });

  test('does not believe a device that holds nothing of what it sends', async () => {
    expect(await accept(2, { heldFromSeq: 1_000_000 })).toEqual({ isNew: true, upToSeq: 2 });
    expect(await accept(3)).toEqual({ isNew: true, upToSeq: 3 });
  });

  test('bounds what comes ahead of a hole', async () => {
    const row = { device_id: 'camera-1', boot: 'b1', received_at_ms: 1 };
    const ahead = Array.from({ length: 4_096 }, (_, i) => ({ ...row, seq: i + 2 }));
    await store.db
      .insertInto('inbox')
      .values({ ...row, seq: 0 })
      .execute();
    for (let i = 0; i < ahead.length; i += 512) {
      await store.db
        .insertInto('inbox')
        .values(ahead.slice(i, i + 512))
        .execute();
    }
    await expect(accept(9_000)).rejects.toMatchObject({ code: 'overloaded' });
    expect(await accept(1)).toEqual({ isNew: true, upToSeq: 4_097 });
    expect(await accept(9_000)).toEqual({ isNew: true, upToSeq: 4_097 });
  });

  test('forgets the boots heard of least lately, not the present ones', async () => {
    await accept(1, { boot: 'kept' });
    for (let i = 0; i < 80; i++) {
      await accept(1, { boot: `boot-${i}` });
      await accept(i + 2, { boot: 'kept' });
    }
    const boots = await store.db.selectFrom('inbox').select('boot').distinct().execute();
    expect(boots).toHaveLength(64);
    expect(await accept(81, { boot: 'kept' })).toEqual({ isNew: false, upToSeq: 81 });
  });
});
