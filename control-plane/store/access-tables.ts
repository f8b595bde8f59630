// Tables of people and programs that use the API. See schema.ts for what columns mean.

import type { Immutable } from './column.ts';

export interface ApiTokenTable {
  id: Immutable<string>;
  name: Immutable<string>;
  /** sha256 of the token, hex; the token itself is shown once */
  token_sha256: string;
  /** Grant[] (protocol/access.ts) */
  json_grants: Immutable<string>;
  /** Label of who made it, as in the audit log */
  created_by: Immutable<string>;
  created_at_ms: Immutable<number>;
  /** Null for the first token, which does not expire */
  expires_at_ms: number | null;
  /** To within a minute */
  last_used_at_ms: number | null;
}

/** A browser that signed in with an API token, or as an identity of the provider. */
export interface SessionTable {
  /** sha256 of the cookie's value, hex; also what the session is called by */
  id_sha256: Immutable<string>;
  token_id: Immutable<string | null>;
  /** Identity (operators/oidc/identity.ts); null for one of a token */
  json_identity: Immutable<string | null>;
  created_at_ms: Immutable<number>;
  /** To within a minute */
  used_at_ms: number;
  expires_at_ms: Immutable<number>;
}

/** A login at the provider that has not come back; each comes back once. */
export interface LoginTable {
  /** sha256 of `state`, hex */
  state_sha256: Immutable<string>;
  /** sha256 of the cookie that binds it to one browser, hex */
  browser_sha256: Immutable<string>;
  nonce: Immutable<string>;
  code_verifier: Immutable<string>;
  /** Path of the console to go on to */
  return_to: Immutable<string>;
  expires_at_ms: Immutable<number>;
}
