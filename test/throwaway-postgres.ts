// A PostgreSQL server of its own for a test file: HOLDFAST_TEST_DATABASE_URL, or a new cluster in a
// temporary folder where initdb and postgres are installed. It listens on a Unix socket only.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chownSync, constants, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import pg from 'pg';

const READY_TIMEOUT_MS = 30_000;

export interface ThrowawayPostgres extends AsyncDisposable {
  /** URL of a new, empty database. */
  newDatabase(): Promise<string>;
}

/** What can be started here, for `skipWithout`; undefined where there is none. */
export function postgresFound(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const { HOLDFAST_TEST_DATABASE_URL: url } = env;
  if (url !== undefined) return url;
  return isOnPath('initdb', env) && isOnPath('postgres', env) ? 'initdb' : undefined;
}

export async function startPostgres(env: NodeJS.ProcessEnv = process.env): Promise<ThrowawayPostgres> {
  const { HOLDFAST_TEST_DATABASE_URL: url } = env;
  if (url !== undefined) return databasesOf(url, () => Promise.resolve());
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-pg-'));
  const user = unprivileged();
  if (user !== null) chownSync(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  execFileSync('initdb', ['-D', data, '-U', 'holdfast', '-A', 'trust', '-E', 'UTF8', '--no-sync'], {
    stdio: 'ignore',
    cwd: folder,
    ...user,
  });
  const server = spawn('postgres', ['-D', data, '-k', folder, '-h', '', '-c', 'fsync=off'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: folder,
    ...user,
  });
  await ready(server);
  return databasesOf(
    `postgres://holdfast@localhost/postgres?host=${encodeURIComponent(folder)}`,
    async () => {
      server.kill('SIGQUIT');
      if (server.exitCode === null) await once(server, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  );
}

function databasesOf(url: string, stop: () => Promise<void>): ThrowawayPostgres {
  let count = 0;
  return {
    async newDatabase() {
      const name = `holdfast_test_${process.pid}_${Date.now()}_${count++}`;
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      const own = new URL(url);
      own.pathname = `/${name}`;
      return own.href;
    },
    [Symbol.asyncDispose]: stop,
  };
}

async function ready(server: ChildProcess): Promise<void> {
  let log = '';
  const said = new Promise<void>((resolve, reject) => {
    server.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      if (log.includes('ready to accept connections')) resolve();
    });
    server.once('exit', () => reject(new Error(`postgres did not start: ${log}`)));
    setTimeout(() => reject(new Error(`postgres is not ready: ${log}`)), READY_TIMEOUT_MS).unref();
  });
  await said;
}

/** PostgreSQL does not run as root; then it runs as `nobody`. */
function unprivileged(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function isOnPath(name: string, env: NodeJS.ProcessEnv): boolean {
  return (env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
