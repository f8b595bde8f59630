// Keys, roles and changes of the two TUF repositories, as people see and sign them (DESIGN.md section 4). Source:
// TUF 1.0.33, sections 4 (formats) and 6.1 (key management); Uptane Standard 2.1, section 5.

import { z } from 'zod';
import {
  counterSchema,
  modelNameSchema,
  sha256Schema,
  teamNameSchema,
  timestampMsSchema,
  versionNumberSchema,
} from './identifiers.ts';

export const REPOSITORIES = ['image', 'director'] as const;
export const repositorySchema = z.enum(REPOSITORIES);
export type Repository = z.infer<typeof repositorySchema>;

/** Delegated by the Image repository's targets to keys of the control plane. */
export const PIPELINE_ROLE = 'pipeline';
export const MEASUREMENTS_ROLE = 'measurements';
const TEAM_PREFIX = 'team-';

export const roleNameSchema = z
  .string()
  .regex(
    /^(?:root|targets|snapshot|timestamp|pipeline|measurements|team-[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)$/,
    'a role is root, targets, snapshot, timestamp, pipeline, measurements or team-<name>',
  );

export function teamRole(team: string): string {
  return `${TEAM_PREFIX}${team}`;
}

/** The team of a role name; null for every other role. */
export function teamOfRole(role: string): string | null {
  return role.startsWith(TEAM_PREFIX) ? role.slice(TEAM_PREFIX.length) : null;
}

/** Whether people sign the role: what it holds counts as made by authors. */
export function isAuthorRole(role: string): boolean {
  return role === 'targets' || teamOfRole(role) !== null;
}

export const KEY_SCHEMES = ['ed25519', 'ecdsa-sha2-nistp256'] as const;
export type KeyScheme = (typeof KEY_SCHEMES)[number];

/** A public key as TUF metadata lists it (section 4.2); `public` is hex for Ed25519 and PEM for ECDSA. */
export const trustKeySchema = z.strictObject({
  keyId: sha256Schema,
  scheme: z.enum(KEY_SCHEMES),
  public: z.string().min(1).max(1_000),
  /** Whose key it is, for people. */
  owner: z.string().max(100).default(''),
});
export type TrustKey = z.infer<typeof trustKeySchema>;

/** A model name, or its beginning and a star: `digits`, `vision-*`. */
export const modelPatternSchema = z
  .string()
  .max(64)
  .refine((pattern) => modelNameSchema.safeParse(pattern.replace(/-?\*$/, '')).success, {
    message: 'must be a model name, or its beginning with - and * after it',
  });

export function isModelOf(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern;
}

/** Where the OpenSSF signature of a version's authors is asked for. */
export const authorSignatureSchema = z.enum(['none', 'import', 'device']);
export type AuthorSignature = z.infer<typeof authorSignatureSchema>;

const keysSchema = z.array(trustKeySchema).min(1).max(20);
const thresholdSchema = z.int().min(1).max(20);

/** One change to a repository. What offline keys must sign is staged until enough of them have. */
export const trustChangeSchema = z.discriminatedUnion('kind', [
  /** Takes root (and, of the Image repository, targets) out of the control plane: these keys sign from now on. */
  z.strictObject({
    kind: z.literal('take-over'),
    root: z.strictObject({ keys: keysSchema, threshold: thresholdSchema }),
    targets: z.strictObject({ keys: keysSchema, threshold: thresholdSchema }).optional(),
  }),
  z.strictObject({ kind: z.literal('add-key'), role: roleNameSchema, key: trustKeySchema }),
  z.strictObject({ kind: z.literal('remove-key'), role: roleNameSchema, keyId: sha256Schema }),
  z.strictObject({ kind: z.literal('threshold'), role: roleNameSchema, threshold: thresholdSchema }),
  /** A role that the control plane signs gets a new key in place of its own. */
  z.strictObject({ kind: z.literal('rotate'), role: roleNameSchema }),
  /** Makes a team or changes one. */
  z.strictObject({
    kind: z.literal('team'),
    team: teamNameSchema,
    models: z.array(modelPatternSchema).min(1).max(100),
    keys: keysSchema,
    threshold: thresholdSchema,
    authorSignature: authorSignatureSchema,
  }),
  z.strictObject({ kind: z.literal('remove-team'), team: teamNameSchema }),
  /** Off is the strict policy: every variant needs its authors' signatures. */
  z.strictObject({ kind: z.literal('pipeline'), enabled: z.boolean() }),
  z.strictObject({ kind: z.literal('floor'), model: modelNameSchema, releaseCounter: counterSchema }),
  /** The same once more, with a later expiry. */
  z.strictObject({ kind: z.literal('renew'), role: roleNameSchema }),
]);
export type TrustChange = z.infer<typeof trustChangeSchema>;

export const trustSignatureSchema = z.strictObject({
  keyid: sha256Schema,
  sig: z.string().regex(/^(?:[0-9a-f]{2}){32,256}$/, 'a signature must be lower-case hex'),
});
export type TrustSignature = z.infer<typeof trustSignatureSchema>;

const needSchema = z.strictObject({
  /** `previous`: the keys of the root before must agree too (TUF section 5.3.4). */
  by: z.enum(['previous', 'own']),
  threshold: thresholdSchema,
  keyIds: z.array(sha256Schema),
  signedBy: z.array(sha256Schema),
});

/** Metadata that waits for signatures. */
export const stagedRoleSchema = z.strictObject({
  repository: repositorySchema,
  role: roleNameSchema,
  version: versionNumberSchema,
  /** What is signed, as canonical JSON signs it (TUF section 4.2.1). */
  signed: z.record(z.string(), z.json()),
  /** The role's metadata as it is published, `signed` and `signatures`; null before its first version. */
  before: z.record(z.string(), z.json()).nullable(),
  signatures: z.array(trustSignatureSchema),
  needs: z.array(needSchema),
});
export type StagedRole = z.infer<typeof stagedRoleSchema>;

export const trustRoleSchema = z.strictObject({
  role: roleNameSchema,
  version: versionNumberSchema,
  expiresAtMs: timestampMsSchema,
  threshold: thresholdSchema,
  /** `isHeld`: the control plane has the private key. */
  keys: z.array(trustKeySchema.extend({ isHeld: z.boolean() })),
  /** What a team may sign; null for roles without bounds. */
  models: z.array(modelPatternSchema).nullable(),
  authorSignature: authorSignatureSchema.nullable(),
  targets: z.int().min(0).nullable(),
  staged: z.strictObject({ version: versionNumberSchema, missing: z.int().min(0) }).nullable(),
});
export type TrustRole = z.infer<typeof trustRoleSchema>;

export const trustStatusSchema = z.strictObject({
  repositories: z.array(
    z.strictObject({
      repository: repositorySchema,
      roles: z.array(trustRoleSchema),
    }),
  ),
  /** Private keys lie encrypted in the data folder. */
  keysAreEncrypted: z.boolean(),
  /** What a person should do, in order; empty when all is well. */
  advice: z.array(z.string().max(500)),
});
export type TrustStatus = z.infer<typeof trustStatusSchema>;

/** What became of a change or a signature. */
export const trustOutcomeSchema = z.strictObject({
  /** Roles that were published by it. */
  published: z.array(roleNameSchema),
  /** Roles that wait for signatures. */
  staged: z.array(roleNameSchema),
});
export type TrustOutcome = z.infer<typeof trustOutcomeSchema>;

// --- target paths and what is signed beside them

/** The model contract's canonical JSON, signed by authors: what a version is. */
export function sourceTargetPath(model: string, version: number): string {
  return `${model}/${version}/source/contract.json`;
}

/** The authors' OpenSSF Model Signing bundle of a version. */
export function authorSignatureTargetPath(model: string, version: number): string {
  return `${model}/${version}/source/signature.json`;
}

export const sourceCustomSchema = z.strictObject({ kind: z.literal('source') });
export const authorSignatureCustomSchema = z.strictObject({ kind: z.literal('author-signature') });

/** Holdfast's own signed fields of targets and team roles, under the name `holdfast`. */
export const authorFieldsSchema = z.object({
  /** Lowest release counter by model that devices accept; of several roles' the highest holds. */
  floors: z.record(modelNameSchema, counterSchema).default({}),
  /**
   * Lowest version by model that devices accept. A counter is written by whoever signs the release, a version is what
   * authors signed: this is the floor that the pipeline's key cannot get around.
   */
  lowestVersions: z.record(modelNameSchema, versionNumberSchema).default({}),
  /** By role, in targets alone. */
  authorSignatures: z.record(roleNameSchema, authorSignatureSchema).default({}),
});
