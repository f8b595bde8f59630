// Operators as the REST API shows them: their API tokens, their sessions, and who is asking.

import { z } from 'zod';
import { grantsSchema } from './access.ts';
import { timestampMsSchema } from './identifiers.ts';

const DAY_MS = 86_400_000;
/** A token is good for this long unless something else is asked for. */
export const DEFAULT_TOKEN_TTL_MS = 90 * DAY_MS;

const ttlMsSchema = z.int().min(60_000).max(366 * DAY_MS); // prettier-ignore
export const tokenNameSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/, 'must be 1 to 63 of a-z, 0-9, ., _ and -');
export const tokenIdSchema = z.string().regex(/^[a-z0-9-]{1,40}$/, 'is no id of a token');

export const createTokenSchema = z.strictObject({
  name: tokenNameSchema,
  grants: grantsSchema,
  ttlMs: ttlMsSchema.default(DEFAULT_TOKEN_TTL_MS),
});
export type CreateToken = z.output<typeof createTokenSchema>;

export const rotateTokenSchema = z.strictObject({ ttlMs: ttlMsSchema.default(DEFAULT_TOKEN_TTL_MS) });

export const apiTokenSchema = z.strictObject({
  id: tokenIdSchema,
  name: z.string(),
  grants: grantsSchema,
  /** As in the audit log: `token:<name>`, `oidc:<email>`, or `system` for the first one. */
  createdBy: z.string(),
  createdAtMs: timestampMsSchema,
  /** Null for the first token of the data folder, which does not expire. */
  expiresAtMs: timestampMsSchema.nullable(),
  /** To within a minute. */
  lastUsedAtMs: timestampMsSchema.nullable(),
});
export type ApiToken = z.infer<typeof apiTokenSchema>;

/** With the token itself, which is shown this once. */
export const newApiTokenSchema = apiTokenSchema.extend({ token: z.string() });
export type NewApiToken = z.infer<typeof newApiTokenSchema>;

export const sessionIdSchema = z.string().regex(/^[0-9a-f]{64}$/, 'is no id of a session');

export const sessionSchema = z.strictObject({
  id: sessionIdSchema,
  /** Whether it is the one that asks. */
  isCurrent: z.boolean(),
  createdAtMs: timestampMsSchema,
  usedAtMs: timestampMsSchema,
  expiresAtMs: timestampMsSchema,
});
export type OperatorSession = z.infer<typeof sessionSchema>;

/** Who is asking, and what they may do. */
export const whoAmISchema = z.strictObject({
  actor: z.string(),
  via: z.enum(['bearer', 'session']),
  grants: grantsSchema,
});
export type WhoAmI = z.infer<typeof whoAmISchema>;

/** How the console may be signed in; `oidc` is null without a provider. */
export const waysToSignInSchema = z.strictObject({ oidc: z.strictObject({ name: z.string() }).nullable() });
export type WaysToSignIn = z.infer<typeof waysToSignInSchema>;

/** What the address of the console carries after a login that failed: `/#login=<code>`. */
export const LOGIN_FAILURES = ['unavailable', 'refused', 'expired', 'invalid', 'no-access'] as const;
export type LoginFailure = (typeof LOGIN_FAILURES)[number];
