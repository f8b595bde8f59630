// All migrations by name, in the order they run. The names are stored in the database: never rename one,
// never change one that was released, only append.

import type { Migration } from 'kysely/migration';
import type { SqlDialect } from '../schema.ts';
import { firstTables } from './0001-first-tables.ts';
import { candidateTables } from './0002-candidates.ts';
import { operatorTables } from './0003-operators.ts';
import { deviceStateTables } from './0004-devices.ts';
import { provenanceTables } from './0005-provenance.ts';

export function migrations(dialect: SqlDialect): Record<string, Migration> {
  return {
    '0001-first-tables': firstTables(dialect),
    '0002-candidates': candidateTables,
    '0003-operators': operatorTables,
    '0004-devices': deviceStateTables,
    '0005-provenance': provenanceTables,
  };
}
