// Tables of devices: how they come in, who they are, what they say. See schema.ts for what columns mean.

import type { Generated } from 'kysely';
import type { Immutable } from './column.ts';

export interface ClaimTable {
  id: Immutable<string>;
  /** sha256 of the secret, hex */
  secret_sha256: Immutable<string>;
  /** The id that the device gets; null for a claim of several, whose ids are made up */
  device_id: Immutable<string | null>;
  /** What made-up ids begin with */
  id_prefix: Immutable<string>;
  profile: Immutable<string | null>;
  json_labels: Immutable<string>;
  /** How many keys it admits, and how many it has admitted */
  uses: Immutable<number>;
  used: number;
  /** A person decides before a device is let in */
  approval: Immutable<number>;
  /** Takes the place of a device that was decommissioned, or whose certificate ended */
  replaces: Immutable<number>;
  expires_at_ms: Immutable<number>;
  withdrawn_at_ms: number | null;
  created_by: Immutable<string>;
  created_at_ms: Immutable<number>;
}

/** Keys that used a claim; the same key may ask again. */
export interface ClaimUseTable {
  claim_id: Immutable<string>;
  spki_sha256: Immutable<string>;
  device_id: Immutable<string>;
}

/** Device certificates that were issued, until they end. */
export interface CertificateTable {
  /** Lower-case hex */
  serial: Immutable<string>;
  device_id: Immutable<string>;
  spki_sha256: Immutable<string>;
  /** sha256 of the public key of the authority that signed it */
  ca_spki_sha256: Immutable<string>;
  expires_at_ms: Immutable<number>;
  revoked_at_ms: number | null;
}

/** Keys that never enrol again. */
export interface RevokedKeyTable {
  spki_sha256: Immutable<string>;
  device_id: Immutable<string>;
  revoked_at_ms: Immutable<number>;
}

export interface DeviceTable {
  id: Immutable<string>;
  profile: string;
  json_labels: string;
  online: number;
  last_seen_ms: number | null;
  enrolled_at_ms: number;
  /** DeviceState, why, by whom and since when; null for those that enrolled without a word */
  state: string;
  state_reason: string | null;
  state_actor: string | null;
  state_at_ms: number | null;
  /** sha256 of its public key, hex; null when it enrolled before that was kept */
  spki_sha256: string | null;
  /** Of its newest certificate: sha256 of the authority's public key, and its end; null before the first */
  certificate_ca: string | null;
  certificate_expires_ms: number | null;
  /** Highest order number given; every order takes the next */
  desired_seq: number;
  desired_model: string | null;
  desired_version: number | null;
  desired_rollout_id: string | null;
  /** The last order whole (fleet/order.ts), so that its Director metadata can be written again; null before the first */
  json_order: string | null;
  /** DesiredBody of the last order, published retained; null before the first */
  json_desired: string | null;
  /** ReportedBody */
  json_reported: string | null;
  /** Envelope (boot, seq) of the last report, so that an older one cannot overwrite it */
  reported_boot: string | null;
  reported_seq: number;
}

/** Messages already applied, by (device, boot, seq). */
export interface InboxTable {
  device_id: Immutable<string>;
  boot: Immutable<string>;
  seq: Immutable<number>;
  received_at_ms: Immutable<number>;
}

export interface TelemetryTable {
  id: Generated<number>;
  device_id: Immutable<string>;
  model: Immutable<string>;
  version: Immutable<number>;
  profile: Immutable<string>;
  window_start_ms: Immutable<number>;
  window_end_ms: Immutable<number>;
  requests: Immutable<number>;
  errors: Immutable<number>;
  rejected: Immutable<number>;
  labelled: Immutable<number>;
  correct: Immutable<number>;
  /** LatencySketch */
  json_latency: Immutable<string>;
  json_system: Immutable<string>;
}
