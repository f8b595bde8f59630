// The control plane's database: SQLite in the data folder, or PostgreSQL by DATABASE_URL. INVARIANTS:
// inside `transaction` every query goes through `trx` (on SQLite `db` would wait for the transaction
// itself for ever); `afterCommit` actions run once the change is durable, and never when it is not;
// those of transactions that asked for order run in that order.

import { join } from 'node:path';
import { Kysely, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { describeError, HoldfastError } from '#protocol/errors.ts';
import { migrations } from './migrations/provider.ts';
import { nodeSqliteDialect } from './node-sqlite-dialect.ts';
import { postgresDialect } from './postgres-dialect.ts';
import type { Database, SqlDialect } from './schema.ts';

export interface StoreOptions {
  readonly dataDir: string;
  readonly databaseUrl?: string | undefined;
  /** Told of lost idle connections to PostgreSQL; the pool opens new ones by itself. */
  readonly onConnectionError?: (error: Error) => void;
}

export interface Store extends AsyncDisposable {
  readonly db: Kysely<Database>;
  readonly dialect: SqlDialect;
  /** All of `work` or nothing of it. On PostgreSQL it may run again after a deadlock, so it must do nothing but queries. */
  transaction<T>(work: (trx: Kysely<Database>) => Promise<T>): Promise<T>;
  /** Runs `action` when the transaction of `trx` has been committed; not at all when it is rolled back. */
  afterCommit(trx: Kysely<Database>, action: () => void): void;
  /** From here to their commit, transactions that ask for order run one after another. */
  inOrder(trx: Kysely<Database>): Promise<void>;
}

const DATABASE_FILE = 'holdfast.db';
/** Any fixed number: names the advisory lock of `inOrder`. */
const ORDER_LOCK = 4_653_001;
const MAX_ATTEMPTS = 5;
/** serialization_failure and deadlock_detected */
const RETRIED_CODES: ReadonlySet<unknown> = new Set(['40001', '40P01']);

/** Opens the database and brings its tables up to date. Errors: `unavailable`, `state-corrupt`. */
export async function openDatabase(options: StoreOptions): Promise<Store> {
  const { databaseUrl } = options;
  const dialect = databaseUrl === undefined ? 'sqlite' : 'postgres';
  const db = new Kysely<Database>({
    dialect:
      databaseUrl === undefined
        ? nodeSqliteDialect(join(options.dataDir, DATABASE_FILE))
        : postgresDialect(databaseUrl, options.onConnectionError ?? (() => undefined)),
  });
  try {
    await migrate(db, dialect);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return new KyselyStore(db, dialect);
}

async function migrate(db: Kysely<Database>, dialect: SqlDialect): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve(migrations(dialect)) },
  });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const what = describeError(error);
  if (dialect === 'postgres') {
    throw new HoldfastError('unavailable', `cannot prepare the database: ${what}`, {
      hint: 'check DATABASE_URL, that the server runs, and that the user may create tables',
      cause: error,
    });
  }
  throw new HoldfastError('state-corrupt', `cannot prepare the database ${DATABASE_FILE}: ${what}`, {
    hint: 'put back a backup of the data folder, or run the version of Holdfast that wrote it',
    cause: error,
  });
}

/** What a transaction does when it has ended. */
interface Ending {
  readonly actions: (() => void)[];
  /** Set once the transaction asked for order: its place behind the one before it. */
  turn?: { readonly before: Promise<void>; readonly end: () => void };
}

class KyselyStore implements Store {
  readonly db: Kysely<Database>;
  readonly dialect: SqlDialect;
  readonly #endings = new WeakMap<Kysely<Database>, Ending>();
  #lastTurn: Promise<void> = Promise.resolve();

  constructor(db: Kysely<Database>, dialect: SqlDialect) {
    this.db = db;
    this.dialect = dialect;
  }

  async transaction<T>(work: (trx: Kysely<Database>) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const ending: Ending = { actions: [] };
      try {
        const result = await this.db.transaction().execute((trx) => {
          this.#endings.set(trx, ending);
          return work(trx);
        });
        await ending.turn?.before;
        for (const action of ending.actions) action();
        return result;
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !RETRIED_CODES.has((error as { code?: unknown }).code)) throw error;
      } finally {
        ending.turn?.end();
      }
    }
  }

  afterCommit(trx: Kysely<Database>, action: () => void): void {
    this.#endingOf(trx).actions.push(action);
  }

  // The server grants the lock to the next transaction only after the commit of this one, so turns are taken
  // in the order of commits; its answers to both commits may still be read here the other way round.
  async inOrder(trx: Kysely<Database>): Promise<void> {
    if (this.dialect === 'postgres') await sql`select pg_advisory_xact_lock(${ORDER_LOCK})`.execute(trx);
    const ending = this.#endingOf(trx);
    if (ending.turn !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    ending.turn = { before: this.#lastTurn, end: resolve };
    this.#lastTurn = promise;
  }

  #endingOf(trx: Kysely<Database>): Ending {
    const ending = this.#endings.get(trx);
    if (ending === undefined) throw new TypeError('this needs the trx of Store.transaction');
    return ending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.db.destroy();
  }
}
