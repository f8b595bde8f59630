// The live event log behind server-sent events. Invariants: an event is written in the transaction of the
// change it tells of; ids rise in the order of commits; listeners hear of it only after the commit.

import type { Kysely } from 'kysely';
import { evidenceSchema } from '#protocol/evidence.ts';
import type { LiveEvent } from '#protocol/api.ts';
import { z } from 'zod';
import type { Store } from './database.ts';
import type { Database } from './schema.ts';

export type NewLiveEvent = Omit<LiveEvent, 'id'>;
export type LiveEventListener = (event: LiveEvent) => void;

export interface LiveEvents {
  /** Inside a transaction give its `trx`; without one the event gets a transaction of its own. */
  append(event: NewLiveEvent, trx?: Kysely<Database>): Promise<LiveEvent>;
  /** Events after `id`, oldest first, at most `limit`. */
  since(id: number, limit: number): Promise<LiveEvent[]>;
  /** Id of the oldest event still kept and of the newest; both 0 when there is none. */
  bounds(): Promise<{ oldestId: number; newestId: number }>;
  /** Calls `listener` for every event from now on, until the returned function is called. */
  subscribe(listener: LiveEventListener): () => void;
}

const DEFAULT_MAX_EVENTS = 100_000;
/** Old events are deleted once every so many new ones. */
const PRUNE_EVERY = 256;

const evidenceListSchema = z.array(evidenceSchema);

export function createLiveEvents(store: Store, options: { maxEvents?: number } = {}): LiveEvents {
  const maxEvents = options.maxEvents ?? DEFAULT_MAX_EVENTS;
  const listeners = new Set<LiveEventListener>();

  async function appendIn(trx: Kysely<Database>, event: NewLiveEvent): Promise<LiveEvent> {
    await store.inOrder(trx);
    const { id } = await trx
      .insertInto('live_events')
      .values({
        kind: event.kind,
        subject: event.subject,
        at_ms: event.atMs,
        summary: event.summary,
        json_evidence: event.evidence === undefined ? null : JSON.stringify(event.evidence),
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    if (id % PRUNE_EVERY === 0) {
      await trx
        .deleteFrom('live_events')
        .where('id', '<=', id - maxEvents)
        .execute();
    }
    const appended = { ...event, id };
    store.afterCommit(trx, () => {
      for (const listener of listeners) listener(appended);
    });
    return appended;
  }

  return {
    append: (event, trx) =>
      trx === undefined ? store.transaction((own) => appendIn(own, event)) : appendIn(trx, event),
    async since(id, limit) {
      const rows = await store.db
        .selectFrom('live_events')
        .selectAll()
        .where('id', '>', id)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        id: row.id,
        kind: row.kind as LiveEvent['kind'],
        subject: row.subject,
        atMs: row.at_ms,
        summary: row.summary,
        ...(row.json_evidence === null
          ? {}
          : { evidence: evidenceListSchema.parse(JSON.parse(row.json_evidence)) }),
      }));
    },
    async bounds() {
      const row = await store.db
        .selectFrom('live_events')
        .select(({ fn }) => [fn.min('id').as('oldest'), fn.max('id').as('newest')])
        .executeTakeFirst();
      return { oldestId: row?.oldest ?? 0, newestId: row?.newest ?? 0 };
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
