// The signed parts of TUF metadata as plain JSON, as it is written, staged and signed. Pure. Invariant: what is read
// keeps every field, so that what is signed again is what was read. Source: TUF 1.0.33, section 4.

import { z } from 'zod';
import { KEY_SCHEMES, authorFieldsSchema, repositorySchema, trustSignatureSchema } from '#protocol/trust.ts';
import type { TrustKey, TrustSignature } from '#protocol/trust.ts';
import type { JsonObject } from './keys/signed-bytes.ts';
import { OWNER } from './keys/role-key.ts';

/** The TUF specification that the metadata follows. */
export const TUF_VERSION = '1.0.31';
export const ROOT_ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type RootRole = (typeof ROOT_ROLES)[number];

const jsonObject = z.record(z.string(), z.json()) as z.ZodType<JsonObject>;
const listedKeySchema = z.looseObject({
  keytype: z.string(),
  scheme: z.enum(KEY_SCHEMES),
  keyval: z.strictObject({ public: z.string() }),
});
const keysSchema = z.record(z.string(), listedKeySchema);
const signersSchema = z.strictObject({ keyids: z.array(z.string()), threshold: z.int().min(1) });
const delegationSchema = signersSchema.extend({
  name: z.string(),
  terminating: z.boolean(),
  paths: z.array(z.string()),
});
const commonSchema = z.strictObject({
  spec_version: z.string(),
  version: z.int().min(1),
  expires: z.iso.datetime(),
});
const entrySchema = z.strictObject({
  length: z.int().min(0),
  hashes: z.strictObject({ sha256: z.string() }),
  custom: jsonObject,
});
const rootSchema = commonSchema.extend({
  _type: z.literal('root'),
  consistent_snapshot: z.literal(true),
  keys: keysSchema,
  roles: z.strictObject({
    root: signersSchema,
    targets: signersSchema,
    snapshot: signersSchema,
    timestamp: signersSchema,
  }),
  /** So that a root of one repository is none of the other, where the same people sign both; older roots lack it. */
  holdfast: z.strictObject({ repository: repositorySchema }).optional(),
});
const targetsSchema = commonSchema.extend({
  _type: z.literal('targets'),
  targets: z.record(z.string(), entrySchema),
  delegations: z.strictObject({ keys: keysSchema, roles: z.array(delegationSchema) }).optional(),
  holdfast: jsonObject,
});
const metaSchema = z.strictObject({
  version: z.int().min(1),
  length: z.int().min(0),
  hashes: z.strictObject({ sha256: z.string() }),
});
const snapshotSchema = commonSchema.extend({
  _type: z.literal('snapshot'),
  meta: z.record(z.string(), metaSchema),
  holdfast: jsonObject,
});
const timestampSchema = commonSchema.extend({
  _type: z.literal('timestamp'),
  meta: z.strictObject({ 'snapshot.json': metaSchema }),
  holdfast: jsonObject,
});

export type RootDocument = z.infer<typeof rootSchema>;
export type TargetsDocument = z.infer<typeof targetsSchema>;
export type SnapshotDocument = z.infer<typeof snapshotSchema>;
export type TimestampDocument = z.infer<typeof timestampSchema>;
export type SignedDocument = RootDocument | TargetsDocument | SnapshotDocument | TimestampDocument;
export type Delegation = z.infer<typeof delegationSchema>;
export type Delegations = NonNullable<TargetsDocument['delegations']>;
export type FileMeta = z.infer<typeof metaSchema>;
/** One entry of targets metadata: what a device may download under a path. */
export type TargetEntry = z.infer<typeof entrySchema>;

/** Metadata with its signatures, as its bytes hold it. */
export interface SignedFile<S extends SignedDocument = SignedDocument> {
  readonly signed: S;
  readonly signatures: readonly TrustSignature[];
  readonly bytes: Buffer;
}

/** Whose signatures a role needs, and how many. */
export interface Authority {
  readonly keys: readonly TrustKey[];
  readonly threshold: number;
}

const SCHEMAS = {
  root: rootSchema,
  targets: targetsSchema,
  snapshot: snapshotSchema,
  timestamp: timestampSchema,
};
export interface Documents {
  readonly root: RootDocument;
  readonly targets: TargetsDocument;
  readonly snapshot: SnapshotDocument;
  readonly timestamp: TimestampDocument;
}

/** Throws a ZodError or SyntaxError for what is no metadata of that kind. */
export function readSigned<K extends keyof Documents>(kind: K, bytes: Buffer): SignedFile<Documents[K]> {
  const { signed, signatures } = envelopeSchema.parse(JSON.parse(bytes.toString('utf8')));
  return { signed: SCHEMAS[kind].parse(signed) as Documents[K], signatures, bytes };
}

const envelopeSchema = z.strictObject({ signed: jsonObject, signatures: z.array(trustSignatureSchema) });

/** The signed part of a document that waits for signatures. Throws a ZodError. */
export function parseStaged(role: string, signed: unknown): RootDocument | TargetsDocument {
  return role === 'root' ? rootSchema.parse(signed) : targetsSchema.parse(signed);
}

/** Of a role that `from` names; null when it does not. */
export function authorityOf(
  from: RootDocument | TargetsDocument | undefined,
  role: string,
): Authority | null {
  if (from === undefined) return null;
  const { keys, signers } =
    from._type === 'root'
      ? {
          keys: from.keys,
          signers: Object.hasOwn(from.roles, role) ? from.roles[role as RootRole] : undefined,
        }
      : { keys: from.delegations?.keys ?? {}, signers: delegationOf(from, role) };
  if (signers === undefined) return null;
  const listed = signers.keyids.map((keyId) => trustKey(keyId, keys[keyId]));
  return { keys: listed.filter((key) => key !== null), threshold: signers.threshold };
}

export function delegationOf(targets: TargetsDocument | undefined, role: string): Delegation | undefined {
  return targets?.delegations?.roles.find(({ name }) => name === role);
}

/** A key as metadata lists it. */
export function listedKey({ scheme, public: text, owner }: TrustKey): z.infer<typeof listedKeySchema> {
  const keytype = scheme === 'ed25519' ? 'ed25519' : 'ecdsa';
  return { keytype, scheme, keyval: { public: text }, ...(owner === '' ? {} : { [OWNER]: owner }) };
}

function trustKey(keyId: string, listed: z.infer<typeof listedKeySchema> | undefined): TrustKey | null {
  if (listed === undefined) return null;
  const owner = listed[OWNER];
  const { scheme, keyval } = listed;
  return { keyId, scheme, public: keyval.public, owner: typeof owner === 'string' ? owner : '' };
}

/** Holdfast's own fields of targets and team roles. */
export function authorFieldsOf({ holdfast }: TargetsDocument): z.infer<typeof authorFieldsSchema> {
  return authorFieldsSchema.parse(holdfast);
}

export function utcSeconds(unixMs: number): string {
  return new Date(unixMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
