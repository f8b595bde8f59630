// The tables of schema.ts, the same in SQLite and PostgreSQL.

import { sql, type CreateTableBuilder, type Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { Database, SqlDialect } from '../schema.ts';

type Column = 'text' | 'text?' | 'int' | 'int?' | 'real';
type Columns = Readonly<Record<string, Column>>;

const TABLES: Readonly<Record<string, Columns>> = {
  models: { name: 'text', created_at_ms: 'int' },
  versions: {
    model: 'text', version: 'int', contract_sha256: 'text', json_contract: 'text', json_evaluation: 'text?',
    created_at_ms: 'int',
  },
  variants: {
    model: 'text', version: 'int', profile: 'text', precision: 'text', weights_sha256: 'text',
    weights_size_bytes: 'int', json_recipe: 'text', json_tolerance: 'text', json_report: 'text',
    json_evaluation: 'text?', release_counter: 'int?', manifest_sha256: 'text?', created_at_ms: 'int',
  },
  jobs: {
    id: 'text', kind: 'text', state: 'text', model: 'text', version: 'int', json_request: 'text',
    progress_pct: 'real', message: 'text', error_code: 'text?', error_detail: 'text?', created_at_ms: 'int',
    updated_at_ms: 'int',
  },
  claims: {
    id: 'text', secret_sha256: 'text', device_id: 'text', profile: 'text?', json_labels: 'text',
    expires_at_ms: 'int', used_by_spki: 'text?', created_at_ms: 'int',
  },
  devices: {
    id: 'text', profile: 'text', json_labels: 'text', online: 'int', last_seen_ms: 'int?', enrolled_at_ms: 'int',
    desired_seq: 'int', desired_model: 'text?', desired_version: 'int?', desired_rollout_id: 'text?',
    json_order: 'text?', json_desired: 'text?', json_reported: 'text?', reported_boot: 'text?', reported_seq: 'int',
  },
  rollouts: {
    id: 'text', request_id: 'text?', model: 'text', version: 'int', phase: 'text', reason: 'text?',
    json_plan: 'text', json_selector: 'text', wave: 'int', soak_until_ms: 'int?', created_at_ms: 'int',
    updated_at_ms: 'int',
  },
  rollout_devices: {
    rollout_id: 'text', device_id: 'text', profile: 'text', wave: 'int', from_version: 'int?', seq: 'int?',
    state: 'text', reason: 'text?', detail: 'text?', json_evidence: 'text', rollback_seq: 'int?',
    rollback_state: 'text?', started_at_ms: 'int?', updated_at_ms: 'int',
  },
  inbox: { device_id: 'text', boot: 'text', seq: 'int', received_at_ms: 'int' },
  telemetry: {
    device_id: 'text', model: 'text', version: 'int', profile: 'text', window_start_ms: 'int',
    window_end_ms: 'int', requests: 'int', errors: 'int', rejected: 'int', labelled: 'int', correct: 'int',
    json_latency: 'text', json_system: 'text',
  },
  live_events: { kind: 'text', subject: 'text', at_ms: 'int', summary: 'text', json_evidence: 'text?' },
  audit: {
    at_ms: 'int', actor: 'text', action: 'text', subject: 'text', json_detail: 'text', previous_sha256: 'text',
    entry_sha256: 'text',
  },
  api_tokens: { id: 'text', name: 'text', token_sha256: 'text', created_at_ms: 'int' },
  sessions: { id_sha256: 'text', token_id: 'text', created_at_ms: 'int', expires_at_ms: 'int' },
  settings: { key: 'text', value: 'text' },
}; // prettier-ignore

/** Tables not named here get an `id` that only rises and is never given twice. */
const PRIMARY_KEYS: Readonly<Record<string, readonly string[]>> = {
  models: ['name'],
  versions: ['model', 'version'],
  variants: ['model', 'version', 'profile'],
  jobs: ['id'],
  claims: ['id'],
  devices: ['id'],
  rollouts: ['id'],
  rollout_devices: ['rollout_id', 'device_id'],
  inbox: ['device_id', 'boot', 'seq'],
  api_tokens: ['id'],
  sessions: ['id_sha256'],
  settings: ['key'],
};

const FOREIGN_KEYS: Readonly<Record<string, readonly [string[], string, string[]]>> = {
  versions: [['model'], 'models', ['name']],
  variants: [['model', 'version'], 'versions', ['model', 'version']],
  jobs: [['model', 'version'], 'versions', ['model', 'version']],
  rollout_devices: [['rollout_id'], 'rollouts', ['id']],
  sessions: [['token_id'], 'api_tokens', ['id']],
};

const INDEXES: readonly (readonly [name: string, table: string, columns: string[], unique?: 'unique'])[] = [
  ['variants_counter', 'variants', ['model', 'release_counter'], 'unique'],
  ['jobs_state', 'jobs', ['state', 'created_at_ms']],
  ['rollouts_request', 'rollouts', ['request_id'], 'unique'],
  ['rollouts_phase', 'rollouts', ['phase']],
  ['rollout_devices_device', 'rollout_devices', ['device_id']],
  ['telemetry_device', 'telemetry', ['device_id', 'window_start_ms']],
  ['telemetry_version', 'telemetry', ['model', 'version', 'window_start_ms']],
  ['telemetry_window', 'telemetry', ['window_start_ms']],
  ['inbox_received', 'inbox', ['received_at_ms']],
  ['api_tokens_token', 'api_tokens', ['token_sha256'], 'unique'],
];

export function firstTables(dialect: SqlDialect): Migration {
  return {
    async up(db: Kysely<Database>): Promise<void> {
      for (const [table, columns] of Object.entries(TABLES)) {
        await createTable(db, table, columns, dialect).execute();
      }
      for (const [name, table, columns, unique] of INDEXES) {
        const index = db.schema.createIndex(name).on(table).columns(columns);
        await (unique === undefined ? index : index.unique()).execute();
      }
    },
  };
}

function createTable(db: Kysely<Database>, table: string, columns: Columns, dialect: SqlDialect) {
  let builder: CreateTableBuilder<string, string> = db.schema.createTable(table);
  const primaryKey = PRIMARY_KEYS[table];
  if (primaryKey === undefined) {
    builder =
      dialect === 'postgres'
        ? builder.addColumn('id', 'bigint', (id) => id.primaryKey().generatedAlwaysAsIdentity())
        : builder.addColumn('id', 'integer', (id) => id.primaryKey().autoIncrement());
  }
  for (const [name, column] of Object.entries(columns)) {
    const type = column.startsWith('int')
      ? sql`bigint`
      : column === 'real'
        ? sql`double precision`
        : sql`text`;
    builder = builder.addColumn(name, type, (c) => (column.endsWith('?') ? c : c.notNull()));
  }
  if (primaryKey !== undefined) {
    builder = builder.addPrimaryKeyConstraint(`${table}_pk`, [...primaryKey]);
  }
  const foreign = FOREIGN_KEYS[table];
  if (foreign === undefined) return builder;
  return builder.addForeignKeyConstraint(`${table}_fk`, foreign[0], foreign[1], foreign[2], (key) =>
    key.onDelete('cascade'),
  );
}
