// A clock that is wrong: the client knows from what it verified that some time has passed already.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DAY_MS, START_MS, utc } from './simulator.ts';
import type { Simulator } from './simulator.ts';
import { SimulatedWorld } from './simulated-world.ts';
import { ed25519Key } from './simulated-keys.ts';

const YEAR_MS = 365 * DAY_MS;

let world: SimulatedWorld;
let repository: Simulator;

beforeEach(async () => {
  world = await SimulatedWorld.start();
  repository = world.repository;
});
afterEach(() => world[Symbol.asyncDispose]());

function issue(issuedAtMs: unknown): void {
  repository.timestamp.holdfast = { issuedAtMs };
  repository.publish('timestamp');
}

/** Everything as it was signed before, under a fresh timestamp. */
function renewTimestamp(issuedAtMs: number): void {
  repository.timestamp.expires = utc(issuedAtMs + DAY_MS);
  issue(issuedAtMs);
}

it('accepts at 1970 nothing that had expired before the time it has verified', async () => {
  issue(START_MS + 20 * DAY_MS);
  await world.refresh();
  world.nowMs = 0;
  await world.refresh(); // nothing has expired before the floor
  repository.targets.get('targets')!.expires = utc(START_MS + 10 * DAY_MS);
  repository.publish('targets', 'snapshot');
  renewTimestamp(START_MS + 20 * DAY_MS);
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
});

it('holds the rest of a refresh against the time of its own timestamp', async () => {
  world.nowMs = 0;
  repository.snapshot.expires = utc(START_MS - DAY_MS);
  repository.publish('snapshot');
  issue(START_MS);
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
  expect(await world.trusted()).toEqual({ root: 1, timestamp: 2 });
});

it('does not accept a timestamp that had expired when it says it was issued', async () => {
  world.nowMs = 0;
  repository.timestamp.expires = utc(START_MS);
  issue(START_MS + 1);
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
});

it('starts from the time it is told', async () => {
  world.nowMs = 0;
  const later = world.client({ notBeforeMs: START_MS + 31 * DAY_MS });
  await expect(later.refresh(new AbortController().signal)).rejects.toMatchObject({ code: 'tuf-expired' });
  await world.client({ notBeforeMs: START_MS }).refresh(new AbortController().signal);
});

it('refuses everything ten years ahead, and forgets nothing of it', async () => {
  repository.publishAll();
  issue(START_MS);
  const old = repository.files.get('timestamp.json') ?? Buffer.alloc(0);
  issue(START_MS + 1);
  await world.refresh();
  const before = await world.trusted();
  world.nowMs = START_MS + 10 * YEAR_MS;
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
  world.nowMs = START_MS;
  expect(await world.trusted()).toEqual(before);
  repository.files.set('timestamp.json', old);
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
  repository.publish('timestamp');
  await world.refresh();
});

it('never goes back: not with a later timestamp that says less, nor with torn files', async () => {
  issue(START_MS + 20 * DAY_MS);
  await world.refresh();
  issue(START_MS - YEAR_MS);
  await world.refresh();
  world.nowMs = 0;
  repository.targets.get('targets')!.expires = utc(START_MS);
  repository.publish('targets', 'snapshot');
  renewTimestamp(START_MS - YEAR_MS);
  repository.timestamp.expires = utc(START_MS + 30 * DAY_MS);
  repository.publish('timestamp');
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
  const folder = join(world.folder, 'client');
  for (const generation of [1, 2, 3, 4])
    await rm(join(folder, `gen-${generation}`), { recursive: true, force: true });
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
  await writeFile(join(folder, 'memory.json'), '');
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
});

it.each(['2030', -1, 1.5, 2 ** 60, null, [START_MS + YEAR_MS]])(
  'takes %j for no time',
  async (issuedAtMs) => {
    if (issuedAtMs !== 1.5) issue(issuedAtMs);
    await world.refresh();
  },
);

it.each([8_640_000_000_000_001, Number.MAX_SAFE_INTEGER])(
  'accepts nothing expired after a timestamp of %d, which is past all dates',
  async (issuedAtMs) => {
    issue(issuedAtMs);
    await world.refresh();
    repository.targets.get('targets')!.expires = utc(START_MS - DAY_MS);
    repository.publish('targets', 'snapshot', 'timestamp');
    await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
  },
);

it('is not held up for ever by a thief of the timestamp key: new keys start anew', async () => {
  repository.timestamp.expires = utc(Date.UTC(9999, 0, 1));
  issue(Date.UTC(9998, 0, 1));
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-expired' });
  repository.rotate('timestamp');
  repository.timestamp.expires = utc(START_MS + DAY_MS);
  repository.publish('root', 'snapshot');
  issue(START_MS);
  await world.refresh();
  world.nowMs = 0;
  await world.refresh();
});

it('believes no time of a timestamp that is not signed', async () => {
  const keys = repository.signers.get('timestamp') ?? [];
  repository.timestamp.expires = utc(Date.UTC(9999, 0, 1));
  repository.signers.set('timestamp', [ed25519Key()]);
  issue(Date.UTC(9998, 0, 1));
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
  repository.signers.set('timestamp', keys);
  issue(START_MS);
  await world.refresh();
});
