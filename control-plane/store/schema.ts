// Tables as Kysely sees them. Portable between SQLite and PostgreSQL: text, integer and JSON as text;
// times are Unix ms; flags are 0 or 1. `json_*` columns hold values of the protocol schema named beside.

import type { ColumnType, Generated } from 'kysely';

export type SqlDialect = 'sqlite' | 'postgres';

type Immutable<T> = ColumnType<T, T, never>;

export interface ModelTable {
  name: Immutable<string>;
  created_at_ms: Immutable<number>;
}

export interface VersionTable {
  model: Immutable<string>;
  version: Immutable<number>;
  contract_sha256: Immutable<string>;
  /** ModelContract */
  json_contract: Immutable<string>;
  /** Evaluation of the author's weights, or null */
  json_evaluation: string | null;
  created_at_ms: Immutable<number>;
}

export interface VariantTable {
  model: Immutable<string>;
  version: Immutable<number>;
  profile: Immutable<string>;
  precision: Immutable<string>;
  weights_sha256: Immutable<string>;
  weights_size_bytes: Immutable<number>;
  /** CompressionRecipe */
  json_recipe: Immutable<string>;
  /** GoldenTolerance that holds for this variant */
  json_tolerance: Immutable<string>;
  /** CompressionReport, or null as JSON */
  json_report: Immutable<string>;
  json_evaluation: string | null;
  /** VariantComparison, or null */
  json_comparison: Immutable<string | null>;
  release_counter: number | null;
  manifest_sha256: string | null;
  created_at_ms: Immutable<number>;
}

/** A recipe that was made of a version and measured. */
export interface TrialTable {
  model: Immutable<string>;
  version: Immutable<number>;
  /** sha256 of the recipe and of the datasets it was made and measured with (registry/trial-store.ts) */
  key_sha256: Immutable<string>;
  /** MadeTrial (registry/trial-store.ts) */
  json_trial: Immutable<string>;
  created_at_ms: Immutable<number>;
}

/** How it was decided which candidate a profile gets; made anew for as long as none is proposed. */
export interface ChoiceTable {
  model: Immutable<string>;
  version: Immutable<number>;
  profile: Immutable<string>;
  /** Candidate[] */
  json_candidates: string;
  decided_at_ms: number;
}

export interface JobTable {
  id: Immutable<string>;
  kind: Immutable<string>;
  state: string;
  model: Immutable<string>;
  version: Immutable<number>;
  /** What was asked, so that a job interrupted by a crash starts again */
  json_request: Immutable<string>;
  progress_pct: number;
  message: string;
  error_code: string | null;
  error_detail: string | null;
  created_at_ms: Immutable<number>;
  updated_at_ms: number;
}

export interface ClaimTable {
  id: Immutable<string>;
  /** sha256 of the secret, hex */
  secret_sha256: Immutable<string>;
  device_id: Immutable<string>;
  profile: Immutable<string | null>;
  json_labels: Immutable<string>;
  expires_at_ms: Immutable<number>;
  /** SPKI sha256 of the key that used it; the same key may ask again, another may not */
  used_by_spki: string | null;
  created_at_ms: Immutable<number>;
}

export interface DeviceTable {
  id: Immutable<string>;
  profile: string;
  json_labels: string;
  online: number;
  last_seen_ms: number | null;
  enrolled_at_ms: Immutable<number>;
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

export interface RolloutTable {
  id: Immutable<string>;
  request_id: Immutable<string | null>;
  model: Immutable<string>;
  version: Immutable<number>;
  phase: string;
  reason: string | null;
  json_plan: Immutable<string>;
  json_selector: Immutable<string>;
  wave: number;
  soak_until_ms: number | null;
  created_at_ms: Immutable<number>;
  updated_at_ms: number;
}

export interface RolloutDeviceTable {
  rollout_id: Immutable<string>;
  device_id: Immutable<string>;
  profile: Immutable<string>;
  wave: Immutable<number>;
  from_version: Immutable<number | null>;
  seq: number | null;
  state: string;
  reason: string | null;
  detail: string | null;
  /** Evidence[] */
  json_evidence: string;
  rollback_seq: number | null;
  rollback_state: string | null;
  started_at_ms: number | null;
  updated_at_ms: number;
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

/** The live event log behind server-sent events; ids only rise. */
export interface LiveEventTable {
  id: Generated<number>;
  kind: Immutable<string>;
  subject: Immutable<string>;
  at_ms: Immutable<number>;
  summary: Immutable<string>;
  json_evidence: Immutable<string | null>;
}

/** Hash-chained: entry_sha256 = sha256(previous entry_sha256 + canonical JSON of the entry). */
export interface AuditTable {
  id: Generated<number>;
  at_ms: Immutable<number>;
  actor: Immutable<string>;
  action: Immutable<string>;
  subject: Immutable<string>;
  json_detail: Immutable<string>;
  previous_sha256: Immutable<string>;
  entry_sha256: Immutable<string>;
}

export interface ApiTokenTable {
  id: Immutable<string>;
  name: Immutable<string>;
  /** sha256 of the token, hex; the token itself is shown once */
  token_sha256: Immutable<string>;
  created_at_ms: Immutable<number>;
}

/** A browser that signed in with an API token. */
export interface SessionTable {
  /** sha256 of the cookie's value, hex */
  id_sha256: Immutable<string>;
  token_id: Immutable<string>;
  created_at_ms: Immutable<number>;
  expires_at_ms: Immutable<number>;
}

/** Small named values: counters, the instance's own facts. */
export interface SettingTable {
  key: Immutable<string>;
  value: string;
}

export interface Database {
  models: ModelTable;
  versions: VersionTable;
  variants: VariantTable;
  trials: TrialTable;
  choices: ChoiceTable;
  jobs: JobTable;
  claims: ClaimTable;
  devices: DeviceTable;
  rollouts: RolloutTable;
  rollout_devices: RolloutDeviceTable;
  inbox: InboxTable;
  telemetry: TelemetryTable;
  live_events: LiveEventTable;
  audit: AuditTable;
  api_tokens: ApiTokenTable;
  sessions: SessionTable;
  settings: SettingTable;
}
