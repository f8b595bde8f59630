// What everything else stands on: the locked data folder, the database, the logs in it, blobs and trust.

import { join } from 'node:path';
import type { BlobStore } from './artifacts/blob-store.ts';
import { FileBlobStore } from './artifacts/file-blob-store.ts';
import type { Config } from './config.ts';
import type { Logger } from './logger.ts';
import { loadProfiles, type Profiles } from './registry/profiles.ts';
import { createAudit, type Audit } from './store/audit.ts';
import { openDataDir, type DataDir } from './store/data-dir.ts';
import { openDatabase, type Store } from './store/database.ts';
import { createLiveEvents, type LiveEvents } from './store/live-events.ts';
import { openTrust, type Trust } from './trust/open-trust.ts';
import { trustPassphrase } from './trust/trust-passphrase.ts';

export interface Core {
  readonly config: Config;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly dataDir: DataDir;
  readonly store: Store;
  readonly events: LiveEvents;
  readonly audit: Audit;
  readonly blobs: BlobStore;
  readonly profiles: Profiles;
  readonly trust: Trust;
}

/** Opens everything; what has a lifetime goes onto `stack`. Errors: `data-dir-locked`, `bad-config`, `state-corrupt`, `unavailable`. */
export async function openCore(config: Config, log: Logger, stack: AsyncDisposableStack): Promise<Core> {
  const profiles = await loadProfiles();
  const dataDir = stack.use(await openDataDir(config.dataDir));
  const store = stack.use(
    await openDatabase({
      dataDir: dataDir.path,
      databaseUrl: config.databaseUrl,
      onConnectionError: (error) => log.warn('a connection to the database was lost', { error }),
    }),
  );
  const events = createLiveEvents(store);
  stack.defer(
    events.subscribe(({ kind, subject, summary }) => log.info('event', { kind, subject, summary })),
  );
  return {
    config,
    log,
    nowMs: Date.now,
    dataDir,
    store,
    events,
    audit: createAudit(store),
    blobs: await FileBlobStore.open(join(dataDir.path, 'blobs')),
    profiles,
    trust: await openTrust({
      directory: join(dataDir.path, 'trust'),
      passphrase: await trustPassphrase(config),
      now: () => new Date(),
    }),
  };
}
