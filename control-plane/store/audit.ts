// The audit log: every change, who made it, chained by hashes. Invariant: entry_sha256 = sha256(previous
// entry_sha256 + canonical JSON of the entry), so that no entry can be changed or left out unseen as long
// as somebody knows a later hash.

import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import { canonicalJson } from '#protocol/canonical-json.ts';
import type { Store } from './database.ts';
import type { Database } from './schema.ts';

export interface AuditEntry {
  /** `token:<name>`, `device:<id>` or `system`. */
  readonly actor: string;
  /** Noun and verb: `model.import`, `rollout.pause`. */
  readonly action: string;
  readonly subject: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface AuditRecord extends AuditEntry {
  readonly id: number;
  readonly atMs: number;
  readonly entrySha256: string;
}

export type AuditCheck =
  | { readonly ok: true; readonly entries: number; readonly headSha256: string }
  | { readonly ok: false; readonly brokenId: number; readonly entries: number };

export interface Audit {
  /** Inside a transaction give its `trx`; without one the entry gets a transaction of its own. */
  record(entry: AuditEntry, trx?: Kysely<Database>): Promise<AuditRecord>;
  /** Entries before `id`, newest first, at most `limit`. */
  before(id: number, limit: number): Promise<AuditRecord[]>;
  /** Walks the whole chain; `brokenId` is the first entry that does not follow from the one before it. */
  verify(): Promise<AuditCheck>;
}

/** What the first entry is chained to. */
export const AUDIT_GENESIS_SHA256 = '0'.repeat(64);
const VERIFY_BATCH = 1_000;

export function createAudit(store: Store, nowMs: () => number = Date.now): Audit {
  async function recordIn(trx: Kysely<Database>, entry: AuditEntry): Promise<AuditRecord> {
    await store.inOrder(trx);
    const head = await trx
      .selectFrom('audit')
      .select('entry_sha256')
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
    const row = {
      at_ms: nowMs(),
      actor: entry.actor,
      action: entry.action,
      subject: entry.subject,
      json_detail: canonicalJson(entry.detail),
      previous_sha256: head?.entry_sha256 ?? AUDIT_GENESIS_SHA256,
    };
    const entrySha256 = chainSha256(row);
    const { id } = await trx
      .insertInto('audit')
      .values({ ...row, entry_sha256: entrySha256 })
      .returning('id')
      .executeTakeFirstOrThrow();
    return { ...entry, id, atMs: row.at_ms, entrySha256 };
  }

  return {
    record: (entry, trx) =>
      trx === undefined ? store.transaction((own) => recordIn(own, entry)) : recordIn(trx, entry),
    async before(id, limit) {
      const rows = await store.db
        .selectFrom('audit')
        .selectAll()
        .where('id', '<', id)
        .orderBy('id', 'desc')
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        id: row.id,
        atMs: row.at_ms,
        actor: row.actor,
        action: row.action,
        subject: row.subject,
        detail: JSON.parse(row.json_detail) as Record<string, unknown>,
        entrySha256: row.entry_sha256,
      }));
    },
    async verify() {
      let entries = 0;
      let lastId = 0;
      let head = AUDIT_GENESIS_SHA256;
      for (;;) {
        const rows = await store.db
          .selectFrom('audit')
          .selectAll()
          .where('id', '>', lastId)
          .orderBy('id')
          .limit(VERIFY_BATCH)
          .execute();
        for (const row of rows) {
          if (row.previous_sha256 !== head || row.entry_sha256 !== chainSha256(row)) {
            return { ok: false, brokenId: row.id, entries };
          }
          head = row.entry_sha256;
          lastId = row.id;
          entries++;
        }
        if (rows.length < VERIFY_BATCH) return { ok: true, entries, headSha256: head };
      }
    },
  };
}

interface ChainedRow {
  readonly at_ms: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly json_detail: string;
  readonly previous_sha256: string;
}

function chainSha256(row: ChainedRow): string {
  const { at_ms: atMs, actor, action, subject, json_detail: detail } = row;
  return createHash('sha256')
    .update(row.previous_sha256)
    .update(canonicalJson({ atMs, actor, action, subject, detail }))
    .digest('hex');
}
