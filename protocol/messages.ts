// Bodies of the MQTT messages and the envelope around them (DESIGN.md section 5). Delivery is at least
// once, effects are exactly once by (device, boot, seq). The device's outbox: `events` and `telemetry`
// share one counter per boot (1, 2, 3 ...), and an entry is kept until an `ack` covers it; all that is kept
// goes out again, in order, on every connection and `report` command. Acks never pass a hole, except below
// `heldFromSeq`. `reported`, `presence` and `reply` each count apart and are never acknowledged.

import { z } from 'zod';
import { deploymentReasonSchema, deploymentStateSchema } from './deployment.ts';
import { HoldfastError } from './errors.ts';
import { evidenceSchema } from './evidence.ts';
import {
  counterSchema,
  modelNameSchema,
  profileNameSchema,
  sha256Schema,
  timestampMsSchema,
  versionNumberSchema,
} from './identifiers.ts';
import { latencySketchSchema } from './latency-sketch.ts';
import { measureCommandSchema, replyBodySchema } from './measurement.ts';

/** Largest MQTT payload either side accepts. */
export const MAX_PAYLOAD_BYTES = 256 * 1024;

/** Names the run of the sender's process in which its counters count. */
export const bootSchema = z.string().min(1).max(64);

/** The hint: what the Director's signed order says too. Never the authority. */
export const desiredBodySchema = z.strictObject({
  rolloutId: z.string().min(1).max(64),
  seq: counterSchema,
  targetPath: z.string().min(1).max(300),
});
export type DesiredBody = z.infer<typeof desiredBodySchema>;

/** A release as a device runs it. */
export const runningReleaseSchema = z.strictObject({
  model: modelNameSchema,
  version: versionNumberSchema,
  profile: profileNameSchema,
  weightsSha256: sha256Schema,
  sinceMs: timestampMsSchema,
});
export type RunningRelease = z.infer<typeof runningReleaseSchema>;

export const transitionSchema = z.strictObject({
  from: deploymentStateSchema,
  to: deploymentStateSchema,
  atMs: timestampMsSchema,
  reason: deploymentReasonSchema.optional(),
  detail: z.string().max(1_000).optional(),
});
export type Transition = z.infer<typeof transitionSchema>;

/** One deployment as the device tells it; `history` is whole, so a lost event heals with the next report. */
export const deploymentReportSchema = z.strictObject({
  rolloutId: z.string().min(1).max(64),
  seq: counterSchema,
  model: modelNameSchema.optional(),
  version: versionNumberSchema.optional(),
  state: deploymentStateSchema,
  reason: deploymentReasonSchema.optional(),
  detail: z.string().max(1_000).optional(),
  attempts: z.int().min(0).max(1_000),
  evidence: z.array(evidenceSchema).max(32),
  history: z.array(transitionSchema).max(64),
  progressPct: z.number().min(0).max(100).optional(),
});
export type DeploymentReport = z.infer<typeof deploymentReportSchema>;

export const reportedBodySchema = z.strictObject({
  agentVersion: z.string().max(50),
  profile: profileNameSchema,
  localUrl: z.string().max(200).optional(),
  active: runningReleaseSchema.nullable(),
  previous: runningReleaseSchema.nullable(),
  deployment: deploymentReportSchema.nullable(),
  quarantined: z.array(sha256Schema).max(100),
});
export type ReportedBody = z.infer<typeof reportedBodySchema>;

export const presenceBodySchema = z.strictObject({ online: z.boolean() });

/** One window of service of one version; windows never span a swap. */
export const telemetryBodySchema = z.strictObject({
  windowStartMs: timestampMsSchema,
  windowEndMs: timestampMsSchema,
  release: runningReleaseSchema,
  requests: z.int().min(0),
  errors: z.int().min(0),
  rejected: z.int().min(0),
  /** Requests that came with the true label, and those answered with it. */
  labelled: z.int().min(0),
  correct: z.int().min(0),
  latency: latencySketchSchema,
  system: z.strictObject({
    cpuLoadPct: z.number().min(0).max(100).nullable(),
    memoryUsedBytes: z.int().min(0).nullable(),
    temperatureC: z.number().nullable(),
    workerRssBytes: z.int().min(0).nullable(),
  }),
});
export type TelemetryBody = z.infer<typeof telemetryBodySchema>;

/** Something that happened once and must not be lost. */
export const eventBodySchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('deployment'), report: deploymentReportSchema }),
  z.strictObject({ kind: z.literal('worker-crash'), weightsSha256: sha256Schema, detail: z.string().max(1_000), atMs: timestampMsSchema }),
  z.strictObject({ kind: z.literal('local-rollback'), from: runningReleaseSchema, to: runningReleaseSchema, atMs: timestampMsSchema }),
  z.strictObject({ kind: z.literal('refused'), code: z.string().max(50), detail: z.string().max(1_000), atMs: timestampMsSchema }),
  z.strictObject({ kind: z.literal('dropped'), telemetryWindows: z.int().min(1), atMs: timestampMsSchema }),
]); // prettier-ignore
export type EventBody = z.infer<typeof eventBodySchema>;

export const commandBodySchema = z.discriminatedUnion('kind', [
  /** Every outbox entry of this boot up to and including this seq is stored; the device may forget it. */
  z.strictObject({ kind: z.literal('ack'), boot: bootSchema, upToSeq: counterSchema }),
  /** Publish `reported` again, and send the outbox again. */
  z.strictObject({ kind: z.literal('report') }),
  /** Ask the gateway how this device stands; its certificate may be due. */
  z.strictObject({ kind: z.literal('renew') }),
  measureCommandSchema,
]);
export type CommandBody = z.infer<typeof commandBodySchema>;

const bodies = {
  desired: desiredBodySchema,
  reported: reportedBodySchema,
  presence: presenceBodySchema,
  telemetry: telemetryBodySchema,
  events: eventBodySchema,
  command: commandBodySchema,
  reply: replyBodySchema,
} as const;
export type MessageLeaf = keyof typeof bodies;
export type MessageBody<L extends MessageLeaf> = z.infer<(typeof bodies)[L]>;

const envelopeSchema = z.strictObject({
  schema: z.string().max(64),
  id: z.string().min(1).max(64),
  seq: counterSchema,
  boot: bootSchema,
  /** Of outbox entries: the lowest seq of `boot` that the sender still holds; what is below will never come. */
  heldFromSeq: counterSchema.optional(),
  sentAtMs: timestampMsSchema,
  body: z.unknown(),
});

export interface Envelope<L extends MessageLeaf> {
  readonly schema: string;
  readonly id: string;
  readonly seq: number;
  readonly boot: string;
  readonly heldFromSeq?: number | undefined;
  readonly sentAtMs: number;
  readonly body: MessageBody<L>;
}

export function messageSchemaName(leaf: MessageLeaf): string {
  return `holdfast.${leaf}/v1`;
}

export function encodeMessage<L extends MessageLeaf>(leaf: L, fields: Omit<Envelope<L>, 'schema'>): string {
  return JSON.stringify({ schema: messageSchemaName(leaf), ...fields });
}

/** Parses and checks a payload. Throws `bad-request` naming the leaf and the first thing that is wrong. */
export function decodeMessage<L extends MessageLeaf>(leaf: L, payload: Uint8Array | string): Envelope<L> {
  const size = payload.length;
  if (size > MAX_PAYLOAD_BYTES) throw refused(leaf, `${size} bytes, over the limit of ${MAX_PAYLOAD_BYTES}`);
  let json: unknown;
  try {
    json = JSON.parse(
      typeof payload === 'string' ? payload : new TextDecoder('utf-8', { fatal: true }).decode(payload),
    );
  } catch (cause) {
    throw refused(leaf, 'not JSON', cause);
  }
  const envelope = envelopeSchema.safeParse(json);
  if (!envelope.success) throw refused(leaf, firstIssue(envelope.error));
  if (envelope.data.schema !== messageSchemaName(leaf)) {
    throw refused(leaf, `schema is ${envelope.data.schema}, expected ${messageSchemaName(leaf)}`);
  }
  const body = bodies[leaf].safeParse(envelope.data.body);
  if (!body.success) throw refused(leaf, `body: ${firstIssue(body.error)}`);
  return { ...envelope.data, body: body.data as MessageBody<L> };
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? 'invalid' : `${issue.path.join('.') || 'value'}: ${issue.message}`;
}

function refused(leaf: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('bad-request', `refused a ${leaf} message: ${what}`, {
    hint: 'the sender must follow the schema of this protocol version',
    ...(cause === undefined ? {} : { cause }),
  });
}
