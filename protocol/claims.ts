// Claims with which devices enrol: what they are good for, and how people see them afterwards.

import { z } from 'zod';
import { labelsSchema } from './access.ts';
import { counterSchema, deviceIdSchema, profileNameSchema, timestampMsSchema } from './identifiers.ts';

const DAY_MS = 86_400_000;
/** Devices that one claim, and claims that one batch, may be for. */
export const MAX_CLAIM_USES = 10_000;

/** What made-up ids begin with; with the random part after it, a device id. */
const idPrefixSchema = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,39}$/,
    'a prefix must be 1 to 40 of a-z, 0-9 and -, and begin with a letter or digit',
  );

const scopeSchema = z.strictObject({
  idPrefix: idPrefixSchema.default('device-'),
  /** Only this profile may enrol. */
  profile: profileNameSchema.optional(),
  labels: labelsSchema.default({}),
  ttlMs: z
    .int()
    .min(1_000)
    .max(366 * DAY_MS)
    .default(3_600_000),
  /** A person decides before a device is let in. */
  approval: z.boolean().default(false),
});

export const createClaimSchema = scopeSchema
  .extend({
    /** Fixes the id of the device that enrols; made up otherwise. */
    deviceId: deviceIdSchema.optional(),
    /** How many devices it is good for, each with a key of its own. */
    uses: z.int().min(1).max(MAX_CLAIM_USES).default(1),
    /** Takes the place of a device that was decommissioned, or whose certificate ended. */
    replace: z.boolean().default(false),
  })
  .refine(({ deviceId, uses }) => deviceId === undefined || uses === 1, {
    message: 'a claim with a device id is good for one device',
    path: ['uses'],
  })
  .refine(({ deviceId, replace }) => !replace || deviceId !== undefined, {
    message: 'name the device to take the place of',
    path: ['deviceId'],
  });
export type CreateClaim = z.input<typeof createClaimSchema>;

/** Each for one device; made together or not at all. */
export const createClaimsSchema = scopeSchema.extend({ count: z.int().min(1).max(MAX_CLAIM_USES) });
export type CreateClaims = z.input<typeof createClaimsSchema>;

/** Shown once: of the token only a hash is kept. */
export const claimSchema = z.strictObject({
  token: z.string(),
  claimId: z.string(),
  /** Null when ids are made up as devices come. */
  deviceId: deviceIdSchema.nullable(),
  expiresAtMs: timestampMsSchema,
});
export type Claim = z.infer<typeof claimSchema>;

export const claimStateSchema = z.enum(['open', 'spent', 'expired', 'withdrawn']);
export type ClaimState = z.infer<typeof claimStateSchema>;

export const claimSummarySchema = z.strictObject({
  claimId: z.string(),
  state: claimStateSchema,
  deviceId: deviceIdSchema.nullable(),
  idPrefix: z.string(),
  profile: profileNameSchema.nullable(),
  labels: z.record(z.string(), z.string()),
  uses: counterSchema,
  used: counterSchema,
  approval: z.boolean(),
  replace: z.boolean(),
  createdBy: z.string(),
  createdAtMs: timestampMsSchema,
  expiresAtMs: timestampMsSchema,
});
export type ClaimSummary = z.infer<typeof claimSummarySchema>;
