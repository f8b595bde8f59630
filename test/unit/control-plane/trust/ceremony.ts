// Both repositories in a temporary folder under one clock, people with keys of their own, and a real TUF client that
// began with the first root and keeps what it has seen.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Updater } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { createAudit } from '#control-plane/store/audit.ts';
import type { Store } from '#control-plane/store/database.ts';
import { createLiveEvents } from '#control-plane/store/live-events.ts';
import { DirectorRepository } from '#control-plane/trust/director-repository.ts';
import { ImageRepository } from '#control-plane/trust/image-repository.ts';
import { KeyStore } from '#control-plane/trust/keys/key-store.ts';
import { RoleKey } from '#control-plane/trust/keys/role-key.ts';
import { signStaged } from '#control-plane/trust/offline/sign-staged.ts';
import { TrustService } from '#control-plane/trust/trust-service.ts';
import type { Repository, TrustChange, TrustKey, TrustOutcome } from '#protocol/trust.ts';
import { sourceTargetPath } from '#protocol/trust.ts';
import { temporaryStore } from '#test/temporary-store.ts';

const BASE = 'https://gateway.invalid/';
export const ACTOR = 'token:test';
export const SOURCE_SHA256 = 'b'.repeat(64);

export const someKeys = (count: number): RoleKey[] =>
  Array.from({ length: count }, (_, index) =>
    RoleKey.generate(index % 2 === 0 ? 'ed25519' : 'ecdsa-sha2-nistp256'),
  );
export const listed = (keys: readonly RoleKey[]): TrustKey[] => keys.map(({ trustKey }) => trustKey);

export class Ceremony implements AsyncDisposable {
  readonly folder: string;
  readonly store: Store;
  readonly #stack: AsyncDisposableStack;
  image: ImageRepository;
  director: DirectorRepository;
  service: TrustService;
  nowMs = Date.now();

  private constructor(folder: string, store: Store, stack: AsyncDisposableStack, parts: Opened) {
    this.folder = folder;
    this.store = store;
    this.#stack = stack;
    this.image = parts.image;
    this.director = parts.director;
    this.service = parts.service;
  }

  static async begin(): Promise<Ceremony> {
    const stack = new AsyncDisposableStack();
    const { store } = stack.use(await temporaryStore());
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-ceremony-'));
    stack.defer(() => rm(folder, { recursive: true }));
    const clock = { nowMs: Date.now() };
    const ceremony = new Ceremony(folder, store, stack, await open(folder, store, () => clock.nowMs));
    Object.defineProperty(ceremony, 'nowMs', {
      get: () => clock.nowMs,
      set: (value: number) => {
        clock.nowMs = value;
      },
    });
    for (const repository of ['image', 'director'] as const) {
      await mkdir(join(folder, `client-${repository}`));
      const root = repository === 'image' ? ceremony.image.trustedRoot : ceremony.director.trustedRoot;
      await writeFile(join(folder, `client-${repository}`, 'root.json'), root);
    }
    return ceremony;
  }

  /** As a process that was killed and started again. */
  async restart(): Promise<void> {
    const parts = await open(this.folder, this.store, () => this.nowMs);
    this.image = parts.image;
    this.director = parts.director;
    this.service = parts.service;
  }

  change(repository: Repository, change: TrustChange): Promise<TrustOutcome> {
    return this.service.change(repository, change, ACTOR);
  }

  /** One after another, whoever of these is asked for and has not signed. */
  async sign(repository: Repository, role: string, keys: readonly RoleKey[]): Promise<TrustOutcome> {
    let outcome: TrustOutcome = { published: [], staged: [] };
    for (const key of keys) {
      const staged = this.service.staged(repository, role);
      outcome = await this.service.addSignature(repository, role, signStaged(staged, key.privateKey), ACTOR);
    }
    return outcome;
  }

  /** A source as authors sign it. */
  source(model: string, version = 1): Promise<'published' | 'staged'> {
    const path = sourceTargetPath(model, version);
    const target = { path, length: 9, sha256: SOURCE_SHA256, custom: { kind: 'source' } as const };
    return this.image.addAuthorTargets(model, [target]);
  }

  /** A variant as the pipeline signs it. */
  release(model: string, version = 1, profile = 'cpu'): Promise<'published' | 'staged'> {
    const custom = { profile, releaseCounter: version, sourceSha256: SOURCE_SHA256 };
    const path = `${model}/${version}/${profile}.json`;
    return this.image.addRelease({ path, length: 3, sha256: 'a'.repeat(64), custom });
  }

  /** What a device comes to that has all it saw before: the length of a target, or undefined. */
  async refresh(path: string): Promise<number | undefined> {
    const client = this.#client('image', (name) => this.image.readImageFile(name));
    await client.refresh();
    return (await client.getTargetInfo(path))?.length;
  }

  async refreshDirector(deviceId: string): Promise<void> {
    await this.#client('director', (name) => this.director.readDirectorFile(deviceId, name)).refresh();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  #client(repository: Repository, read: (name: string) => Promise<Buffer | null>): Updater {
    return new Updater({
      metadataDir: join(this.folder, `client-${repository}`),
      metadataBaseUrl: BASE,
      fetcher: {
        downloadFile: () => Promise.reject(new Error('not used')),
        downloadBytes: async (url) => {
          const bytes = await read(url.slice(BASE.length));
          if (bytes === null) throw new DownloadHTTPError('missing', 404);
          return bytes;
        },
      },
    });
  }
}

interface Opened {
  readonly image: ImageRepository;
  readonly director: DirectorRepository;
  readonly service: TrustService;
}

async function open(folder: string, store: Store, nowMs: () => number): Promise<Opened> {
  const keyStore = await KeyStore.open(join(folder, 'keys'));
  const now = () => new Date(nowMs());
  const image = await ImageRepository.open({ directory: join(folder, 'image'), keyStore, now });
  const director = await DirectorRepository.open({ directory: join(folder, 'director'), keyStore, now });
  const trust = { image, director, keysAreEncrypted: keyStore.isEncrypted };
  const audit = createAudit(store);
  const events = createLiveEvents(store);
  return { image, director, service: new TrustService({ trust, store, audit, events, nowMs }) };
}
