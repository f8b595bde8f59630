// Kysely over PostgreSQL for fleets that outgrow one machine. 64-bit integers and sums come back as
// numbers, as they do from SQLite: nothing stored goes above 2^53.

import pg from 'pg';
import { PostgresDialect } from 'kysely';

const INT8_OID = 20;
const NUMERIC_OID = 1700;
const POOL_SIZE = 10;
const CONNECT_TIMEOUT_MS = 10_000;

/** Errors of idle connections go to `onError`; the pool replaces the connection by itself. */
export function postgresDialect(databaseUrl: string, onError: (error: Error) => void): PostgresDialect {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary'): ((value: string) => unknown) =>
        oid === INT8_OID || oid === NUMERIC_OID
          ? Number
          : (pg.types.getTypeParser(oid, format) as (value: string) => unknown),
    },
  });
  pool.on('error', onError);
  return new PostgresDialect({ pool });
}
