// The journal's file checked on reading: what an older agent or a bad disk left must not be acted on.

import { z } from 'zod';
import {
  blobRefSchema,
  counterSchema,
  profileNameSchema,
  sha256Schema,
  timestampMsSchema,
} from '#protocol/identifiers.ts';
import {
  bootSchema,
  deploymentReportSchema,
  eventBodySchema,
  runningReleaseSchema,
  telemetryBodySchema,
} from '#protocol/messages.ts';
import { directorCustomSchema, releaseManifestSchema } from '#protocol/release.ts';
import { trustKeySchema } from '#protocol/trust.ts';
import { brokenInvariant, JOURNAL_SCHEMA } from '../domain/journal-state.ts';
import type { JournalState } from '../ports/journal.ts';

const slotNameSchema = z.enum(['a', 'b']);

const installedReleaseSchema = z.strictObject({
  manifest: releaseManifestSchema,
  manifestBlob: blobRefSchema,
  running: runningReleaseSchema,
});

const orderSchema = z.strictObject({
  targetPath: z.string().max(300),
  manifestSha256: sha256Schema,
  manifestLengthBytes: z.int().min(1),
  order: directorCustomSchema,
  floor: counterSchema,
  // An agent before these wrote neither; it had verified the order by the rules of its day.
  sourceSha256: sha256Schema.nullable().default(null),
  authorSignature: z
    .strictObject({ bundle: blobRefSchema, keys: z.array(trustKeySchema) })
    .nullable()
    .default(null),
});

const outboxEntrySchema = z.discriminatedUnion('leaf', [
  z.strictObject({
    leaf: z.literal('telemetry'),
    boot: bootSchema,
    seq: counterSchema,
    body: telemetryBodySchema,
  }),
  z.strictObject({ leaf: z.literal('events'), boot: bootSchema, seq: counterSchema, body: eventBodySchema }),
]);

const journalSchema = z.strictObject({
  schema: z.literal(JOURNAL_SCHEMA),
  profile: profileNameSchema.nullable(),
  bootCount: counterSchema,
  boot: bootSchema,
  nextOutboxSeq: counterSchema,
  highestSeq: counterSchema,
  slots: z.strictObject({ a: installedReleaseSchema.nullable(), b: installedReleaseSchema.nullable() }),
  active: slotNameSchema.nullable(),
  previous: slotNameSchema.nullable(),
  deployment: z
    .strictObject({
      report: deploymentReportSchema,
      order: orderSchema.nullable(),
      manifest: releaseManifestSchema.nullable(),
      stateSinceMs: timestampMsSchema,
    })
    .nullable(),
  quarantined: z.array(sha256Schema),
  outbox: z.array(outboxEntrySchema),
});

/** Throws a ZodError, or an Error naming the invariant that is broken. */
export function parseJournal(value: unknown): JournalState {
  const state = journalSchema.parse(value);
  const broken = brokenInvariant(state);
  if (broken !== null) throw new Error(`the journal breaks an invariant: ${broken}`);
  return state;
}
