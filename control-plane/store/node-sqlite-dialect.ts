// Kysely over node:sqlite. Invariants: a committed transaction survives a power cut (WAL with
// synchronous=FULL), foreign keys hold. Kysely itself gives the one connection to one user at a time.

import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { SqliteAdapter, SqliteDialect, type SqliteDatabase, type SqliteStatement } from 'kysely';
import { HoldfastError } from '#protocol/errors.ts';

const BUSY_TIMEOUT_MS = 5_000;
/** SQLITE_FULL, https://www.sqlite.org/rescode.html */
const SQLITE_FULL = 13;

/** `path` is a file or `:memory:`. */
export function nodeSqliteDialect(path: string): SqliteDialect {
  return new TransactionalDdlDialect({ database: () => Promise.resolve(openSqlite(path)) });
}

/** SQLite can create tables in a transaction, so a migration cut off by a crash leaves nothing. */
class TransactionalDdlDialect extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new TransactionalDdlAdapter();
  }
}

class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

function openSqlite(path: string): SqliteDatabase {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  database.exec('pragma journal_mode = wal; pragma synchronous = full;');
  return {
    close: () => database.close(),
    prepare: (sql) => wrapStatement(database.prepare(sql)),
  };
}

function wrapStatement(statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => guarded(() => statement.all(...inputs(parameters))),
    run: (parameters) => guarded(() => statement.run(...inputs(parameters))),
    iterate: (parameters) => guarded(() => statement.iterate(...inputs(parameters))),
  };
}

// node:sqlite checks the type of every value itself and throws for what SQLite cannot hold.
const inputs = (parameters: readonly unknown[]) => parameters as SQLInputValue[];

function guarded<T>(query: () => T): T {
  try {
    return query();
  } catch (cause) {
    if ((cause as { errcode?: unknown }).errcode !== SQLITE_FULL) throw cause;
    throw new HoldfastError('disk-full', 'the disk of the database is full', {
      hint: 'free space on the disk of the data folder; nothing of this change was kept',
      cause,
    });
  }
}
