import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '#control-plane/store/database.ts';
import { writeSetting } from '#control-plane/store/settings.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'holdfast-db-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

describe('the SQLite database', () => {
  it('is durable at every commit, in a log beside it', async () => {
    await using store = await openDatabase({ dataDir });
    await writeSetting(store.db, 'a', 'b');
    using reader = new DatabaseSync(join(dataDir, 'holdfast.db'), { readOnly: true });
    expect(reader.prepare('pragma journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(reader.prepare('select value from settings').all()).toEqual([{ value: 'b' }]);
  });

  it('that is no database is left as it is, with a hint', async () => {
    await writeFile(join(dataDir, 'holdfast.db'), 'not a database at all, but long enough to be looked at');
    await expect(openDatabase({ dataDir })).rejects.toMatchObject({ code: 'state-corrupt' });
  });

  it('of a later release is refused', async () => {
    await (await openDatabase({ dataDir }))[Symbol.asyncDispose]();
    const later = new DatabaseSync(join(dataDir, 'holdfast.db'));
    later.exec("insert into kysely_migration (name, timestamp) values ('9999-from-the-future', 'x')");
    later.close();
    await expect(openDatabase({ dataDir })).rejects.toMatchObject({ code: 'state-corrupt' });
  });

  it('has no half of a migration that was cut off', async () => {
    const blocker = new DatabaseSync(join(dataDir, 'holdfast.db'));
    blocker.exec('create table telemetry (x text)');
    await expect(openDatabase({ dataDir })).rejects.toMatchObject({ code: 'state-corrupt' });
    blocker.exec('drop table telemetry');
    blocker.close();
    await using store = await openDatabase({ dataDir });
    expect(await store.db.selectFrom('devices').selectAll().execute()).toEqual([]);
  });

  it('refuses to run an action after a commit that is not its own', async () => {
    await using store = await openDatabase({ dataDir });
    expect(() => store.afterCommit(store.db, () => undefined)).toThrow(TypeError);
  });
});
