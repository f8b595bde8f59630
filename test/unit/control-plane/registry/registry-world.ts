// A registry on a real database, real blobs and a real Image repository, and the committed digit reader to
// put into it.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FileBlobStore } from '#control-plane/artifacts/file-blob-store.ts';
import { createLogger } from '#control-plane/logger.ts';
import { JobQueue, type JobWork } from '#control-plane/registry/job-queue.ts';
import { loadProfiles } from '#control-plane/registry/profiles.ts';
import { insertVariant } from '#control-plane/registry/store.ts';
import { Registry, type RegistryDeps } from '#control-plane/registry/service.ts';
import { createAudit, type Audit } from '#control-plane/store/audit.ts';
import type { Store } from '#control-plane/store/database.ts';
import { createLiveEvents } from '#control-plane/store/live-events.ts';
import { openTrust, type Trust } from '#control-plane/trust/open-trust.ts';
import { modelContractSchema, type ModelContract } from '#protocol/model-contract.ts';
import { temporaryStore } from '#test/temporary-store.ts';

const DIGITS = new URL('../../../fixtures/models/digits/v1/', import.meta.url);
export const ACTOR = 'token:test';

export interface Digits {
  readonly contract: ModelContract;
  readonly weights: Uint8Array;
  readonly golden: Uint8Array;
}

export async function digits(): Promise<Digits> {
  const [contract, weights, golden] = await Promise.all([
    readFile(new URL('contract.json', DIGITS), 'utf8'),
    readFile(new URL('weights.onnx', DIGITS)),
    readFile(new URL('golden.safetensors', DIGITS)),
  ]);
  return {
    contract: modelContractSchema.parse(JSON.parse(contract)),
    weights: new Uint8Array(weights),
    golden: new Uint8Array(golden),
  };
}

export interface RegistryWorld extends AsyncDisposable {
  readonly registry: Registry;
  readonly jobs: JobQueue;
  readonly store: Store;
  readonly audit: Audit;
  readonly blobs: FileBlobStore;
  readonly trust: Trust;
  readonly deps: RegistryDeps;
  readonly scratchRoot: string;
}

/** `work` is what jobs do; nothing when left out. */
export async function registryWorld(
  work: (world: RegistryWorld) => JobWork = () => () => Promise.resolve(),
): Promise<RegistryWorld> {
  const temporary = await temporaryStore();
  const { store, dataDir } = temporary;
  const events = createLiveEvents(store);
  const audit = createAudit(store);
  const blobs = await FileBlobStore.open(join(dataDir, 'blobs'));
  const trust = await openTrust({ directory: join(dataDir, 'trust'), now: () => new Date() });
  const log = createLogger({ level: 'silent', write: () => undefined });
  const jobs: JobQueue = new JobQueue({
    store, events, log, nowMs: Date.now,
    work: (job, context) => work(world)(job, context),
  }); // prettier-ignore
  const deps: RegistryDeps = {
    store,
    events,
    audit,
    blobs,
    jobs,
    image: trust.image,
    profiles: await loadProfiles(),
    nowMs: Date.now,
    maxModelBytes: 1_000_000,
    packageVersion: '0.0.0-test',
  };
  const world: RegistryWorld = {
    registry: new Registry(deps),
    jobs,
    store,
    audit,
    blobs,
    trust,
    deps,
    scratchRoot: dataDir,
    async [Symbol.asyncDispose]() {
      await jobs[Symbol.asyncDispose]();
      await temporary[Symbol.asyncDispose]();
    },
  };
  return world;
}

/** Uploads the digit reader and imports it. */
export async function importDigits(world: RegistryWorld): Promise<Digits> {
  const model = await digits();
  await world.blobs.putBytes(model.weights);
  await world.blobs.putBytes(model.golden);
  await world.registry.createVersion({ contract: model.contract }, ACTOR);
  return model;
}

/** A variant of version 1 as the compression job stores it: the author's own weights. */
export function addVariant({ store }: RegistryWorld, { contract }: Digits, profile: string): Promise<void> {
  const variant = {
    profile,
    precision: 'original',
    weights: contract.weights,
    recipe: { kind: 'original' },
    evaluation: null,
    report: null,
    comparison: null,
  } as const;
  const { tolerance } = contract.golden;
  return insertVariant(store.db, 'digits', 1, { variant, tolerance }, 1);
}
