// Which outbox entries of a device are stored, so that each is applied once and acknowledged when nothing
// before it is missing. INVARIANTS: of every (device, boot) the lowest row is the watermark, all up to it
// is stored (0 at first); higher rows came ahead of a hole; so a boot takes one row when nothing is missing.

import type { Kysely } from 'kysely';
import { HoldfastError } from '#protocol/errors.ts';
import type { Database } from '../store/schema.ts';

/** Where an entry stands in its sender's outbox. */
export interface OutboxPosition {
  readonly deviceId: string;
  readonly boot: string;
  readonly seq: number;
  /** The lowest seq of this boot that the device still holds; what is below will never come. */
  readonly heldFromSeq?: number | undefined;
}

export interface Acceptance {
  /** False when the entry was stored before and must not be applied again. */
  readonly isNew: boolean;
  /** Everything of this boot up to here is stored or will never come. */
  readonly upToSeq: number;
}

/** Entries a boot may have ahead of a hole, and boots kept of a device. */
const MAX_AHEAD = 4_096;
const MAX_BOOTS = 64;

/** Records an entry; apply it in the same transaction. Errors: `overloaded` when too much came ahead of a hole. */
export async function acceptEntry(
  trx: Kysely<Database>,
  position: OutboxPosition,
  nowMs: number,
): Promise<Acceptance> {
  const { deviceId, boot, seq } = position;
  const stored = await storedSeqs(trx, deviceId, boot);
  if (stored.length === 0) await forgetOldBoots(trx, deviceId);
  const [before = 0, ...ahead] = stored;
  const held = Math.min(position.heldFromSeq ?? 0, seq) - 1;
  const known = new Set(ahead);
  const isNew = seq > before && !known.has(seq);
  known.add(seq);
  let upToSeq = Math.max(before, held);
  while (known.has(upToSeq + 1)) upToSeq++;
  if (isNew && seq > upToSeq && known.size > MAX_AHEAD) {
    throw new HoldfastError('overloaded', `${deviceId} has ${MAX_AHEAD} entries ahead of a missing one`, {
      hint: `the agent must send entry ${upToSeq + 1} of boot ${boot}, or say that it is gone`,
    });
  }
  if (upToSeq > before) {
    await trx
      .deleteFrom('inbox')
      .where('device_id', '=', deviceId)
      .where('boot', '=', boot)
      .where('seq', '<=', upToSeq)
      .execute();
  }
  const rows = new Set<number>();
  if (upToSeq > before || stored.length === 0) rows.add(upToSeq);
  if (isNew && seq > upToSeq) rows.add(seq);
  if (rows.size > 0) {
    await trx
      .insertInto('inbox')
      .values([...rows].map((row) => ({ device_id: deviceId, boot, seq: row, received_at_ms: nowMs })))
      .execute();
  }
  return { isNew, upToSeq };
}

async function storedSeqs(trx: Kysely<Database>, deviceId: string, boot: string): Promise<number[]> {
  const rows = await trx
    .selectFrom('inbox')
    .select('seq')
    .where('device_id', '=', deviceId)
    .where('boot', '=', boot)
    .orderBy('seq')
    .execute();
  return rows.map((row) => row.seq);
}

/** Makes room for one more boot of the device: those heard of least lately go. */
async function forgetOldBoots(trx: Kysely<Database>, deviceId: string): Promise<void> {
  const boots = await trx
    .selectFrom('inbox')
    .select(({ fn }) => ['boot', fn.max('received_at_ms').as('heard_ms')])
    .where('device_id', '=', deviceId)
    .groupBy('boot')
    .orderBy('heard_ms', 'desc')
    .execute();
  const forgotten = boots.slice(MAX_BOOTS - 1).map((row) => row.boot);
  if (forgotten.length === 0) return;
  await trx.deleteFrom('inbox').where('device_id', '=', deviceId).where('boot', 'in', forgotten).execute();
}
