// A real database in a folder of its own, gone when disposed.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase, type Store } from '#control-plane/store/database.ts';

export interface TemporaryStore extends AsyncDisposable {
  readonly store: Store;
  readonly dataDir: string;
}

/** SQLite, or PostgreSQL at `databaseUrl`. */
export async function temporaryStore(databaseUrl?: string): Promise<TemporaryStore> {
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-store-'));
  const store = await openDatabase({ dataDir, databaseUrl });
  return {
    store,
    dataDir,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
