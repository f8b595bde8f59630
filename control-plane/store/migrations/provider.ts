// All migrations by name, in the order they run. The names are stored in the database: never rename one,
// never change one that was released, only append.

import type { Migration } from 'kysely/migration';
import type { SqlDialect } from '../schema.ts';
import { firstTables } from './0001-first-tables.ts';
import { candidateTables } from './0002-candidates.ts';

export function migrations(dialect: SqlDialect): Record<string, Migration> {
  return {
    '0001-first-tables': firstTables(dialect),
    '0002-candidates': candidateTables,
  };
}
