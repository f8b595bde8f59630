import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { IngestQueue } from '#control-plane/fleet/ingest-queue.ts';
import type { Store } from '#control-plane/store/database.ts';
import { readSetting, writeSetting } from '#control-plane/store/settings.ts';
import { temporaryStore } from '#test/temporary-store.ts';

let temporary: Awaited<ReturnType<typeof temporaryStore>>;
let store: Store;
let followed: number[];
let failed: number[];
let batches: number;

beforeAll(async () => {
  temporary = await temporaryStore();
  store = temporary.store;
});
afterAll(() => temporary[Symbol.asyncDispose]());
beforeEach(async () => {
  [followed, failed, batches] = [[], [], 0];
  await store.db.deleteFrom('settings').execute();
});

/** Stores each number under its own name; multiples of 10 cannot be stored. */
const queue = () =>
  new IngestQueue<number>({
    store,
    async apply(trx, message) {
      await writeSetting(trx, `m${message}`, 'stored');
      if (message % 10 === 0) throw new Error('cannot be stored');
      return () => void followed.push(message);
    },
    onFailed: (message) => void failed.push(message),
    onBatch: () => void batches++,
  });

describe('the ingest queue', () => {
  test('applies in order, many in one commit, and follows up once each is durable', async () => {
    await using messages = queue();
    for (const message of [1, 2, 3, 4, 5]) void messages.push(message);
    await messages.idle();
    expect([followed, batches]).toEqual([[1, 2, 3, 4, 5], 1]);
    expect(await readSetting(store.db, 'm5')).toBe('stored');
  });

  test('a message that cannot be applied leaves nothing behind and holds up no other', async () => {
    await using messages = queue();
    for (const message of [8, 9, 10, 11, 12]) void messages.push(message);
    await messages.idle();
    expect([followed, failed]).toEqual([[8, 9, 11, 12], [10]]);
    expect(await readSetting(store.db, 'm10')).toBeNull();
    expect(await readSetting(store.db, 'm11')).toBe('stored');
  });

  test('goes on after it was idle', async () => {
    await using messages = queue();
    for (const message of [1, 2, 3]) {
      await messages.push(message);
      await messages.idle();
    }
    expect(followed).toEqual([1, 2, 3]);
  });

  test('makes the sender wait while too much is queued', async () => {
    await using messages = queue();
    const pushes = Array.from({ length: 1_100 }, (_, i) => messages.push(i * 10 + 1));
    await pushes[0];
    expect(followed).toEqual([]);
    await pushes[1_099];
    expect(followed).toHaveLength(1_100);
  });

  test('finishes what it has when it is disposed, and takes no more', async () => {
    const messages = queue();
    void messages.push(1);
    await messages[Symbol.asyncDispose]();
    await messages.push(2);
    expect(followed).toEqual([1]);
  });
});
