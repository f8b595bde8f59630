// A trust folder from before there were delegations: one targets role that held releases and measurements.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { authorityOf, type TargetEntry } from '#control-plane/trust/documents.ts';
import { emptyTargets } from '#control-plane/trust/image-plan.ts';
import { ImageRepository } from '#control-plane/trust/image-repository.ts';
import { HeldKeys } from '#control-plane/trust/keys/held-keys.ts';
import { KeyStore } from '#control-plane/trust/keys/key-store.ts';
import { MetadataFiles, signWith } from '#control-plane/trust/metadata-files.ts';
import { newestRoot, openRootChain } from '#control-plane/trust/root-chain.ts';
import { makeDirectoryDurably } from '#control-plane/trust/durable-files.ts';
import { measureTargetPath } from '#protocol/measurement.ts';

const SHA256 = 'a'.repeat(64);
const RELEASE = 'digits/1/cpu.json';
const CANDIDATE = measureTargetPath('digits', 1, SHA256);
const now = () => new Date();
const entry = (custom: TargetEntry['custom']): TargetEntry => ({
  length: 3,
  hashes: { sha256: SHA256 },
  custom,
});

let folder: string;
let keyStore: KeyStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-older-'));
  keyStore = await KeyStore.open(join(folder, 'keys'));
  const directory = join(folder, 'image');
  await makeDirectoryDurably(directory);
  const held = await HeldKeys.open(keyStore, 'image');
  const chain = await openRootChain(directory, held, now());
  const root = newestRoot(chain).signed;
  const keyOf = (role: string) => held.find(authorityOf(root, role)?.keys ?? []) ?? expect.fail();
  const lifetimes = { snapshotMs: 1_000_000, timestampMs: 1_000_000 };
  const files = await MetadataFiles.open({ directory, stamp: {}, lifetimes, now }, [root]);
  const targets = signWith(keyOf('targets'), {
    ...emptyTargets(),
    expires: '2099-01-01T00:00:00Z',
    targets: {
      [RELEASE]: entry({ profile: 'cpu', releaseCounter: 1 }),
      [CANDIDATE]: entry({ profile: 'cpu', purpose: 'measure' }),
    },
  });
  const keys = { snapshot: keyOf('snapshot'), timestamp: keyOf('timestamp') };
  const roles = new Map([['targets', targets]]);
  await files.publish({ roles, writeRoot: null, isSnapshotDue: true, keys }, [root]);
});
afterEach(() => rm(folder, { recursive: true }));

it('is brought up when it is opened: releases stay where they are, and new ones go to the pipeline', async () => {
  const open = () => ImageRepository.open({ directory: join(folder, 'image'), keyStore, now });
  const image = await open();
  expect(image.hasPipeline).toBe(true);
  expect(image.roleOf(RELEASE)).toBe('targets');
  expect(image.target(CANDIDATE)).toBeUndefined();
  expect(image.releasesOf('digits')).toEqual([{ version: 1, releaseCounter: 1 }]);
  const custom = { kind: 'source' } as const;
  await image.addAuthorTargets('digits', [
    { path: 'digits/2/source/contract.json', length: 3, sha256: SHA256, custom },
  ]);
  const release = { profile: 'cpu', releaseCounter: 2, sourceSha256: SHA256 };
  await image.addRelease({ path: 'digits/2/cpu.json', length: 3, sha256: SHA256, custom: release });
  expect(image.roleOf('digits/2/cpu.json')).toBe('pipeline');
  expect((await open()).roles.state.published.get('targets')?.signed.version).toBe(3);
});
