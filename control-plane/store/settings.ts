// Small named values that outlive the process: counters and facts of this instance.

import type { Kysely } from 'kysely';
import type { Database } from './schema.ts';

export async function readSetting(db: Kysely<Database>, key: string): Promise<string | null> {
  const row = await db.selectFrom('settings').select('value').where('key', '=', key).executeTakeFirst();
  return row?.value ?? null;
}

export async function writeSetting(db: Kysely<Database>, key: string, value: string): Promise<void> {
  await db
    .insertInto('settings')
    .values({ key, value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
    .execute();
}

/** Takes the next number of a counter that starts at 1; it is the caller's once `trx` is committed. */
export async function nextCounter(trx: Kysely<Database>, key: string): Promise<number> {
  await trx
    .insertInto('settings')
    .values({ key, value: '0' })
    .onConflict((c) => c.column('key').doNothing())
    .execute();
  const { value } = await trx
    .selectFrom('settings')
    .select('value')
    .where('key', '=', key)
    .executeTakeFirstOrThrow();
  const next = Number(value) + 1;
  await trx
    .updateTable('settings')
    .set({ value: String(next) })
    .where('key', '=', key)
    .execute();
  return next;
}
