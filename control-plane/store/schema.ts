// Tables as Kysely sees them. Portable between SQLite and PostgreSQL: text, integer and JSON as text;
// times are Unix ms; flags are 0 or 1. `json_*` columns hold values of the protocol schema named beside.

import type { Generated } from 'kysely';
import type { ApiTokenTable, LoginTable, SessionTable } from './access-tables.ts';
import type { Immutable } from './column.ts';
import type {
  CertificateTable,
  ClaimTable,
  ClaimUseTable,
  DeviceTable,
  InboxTable,
  RevokedKeyTable,
  TelemetryTable,
} from './fleet-tables.ts';

export type SqlDialect = 'sqlite' | 'postgres';

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

/** A signed statement about a version or a variant, whose bytes are a blob. */
export interface AttestationTable {
  model: Immutable<string>;
  version: Immutable<number>;
  /** `author-signature` or `provenance` */
  kind: Immutable<string>;
  /** Empty for the version itself */
  profile: Immutable<string>;
  sha256: string;
  created_at_ms: number;
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
  attestations: AttestationTable;
  jobs: JobTable;
  claims: ClaimTable;
  claim_uses: ClaimUseTable;
  certificates: CertificateTable;
  revoked_keys: RevokedKeyTable;
  devices: DeviceTable;
  rollouts: RolloutTable;
  rollout_devices: RolloutDeviceTable;
  inbox: InboxTable;
  telemetry: TelemetryTable;
  live_events: LiveEventTable;
  audit: AuditTable;
  api_tokens: ApiTokenTable;
  sessions: SessionTable;
  logins: LoginTable;
  settings: SettingTable;
}
