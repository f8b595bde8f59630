// SIGKILL in the middle of publishes and of refreshes: nothing that was promised is lost, nothing is torn.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TufVerifier } from '#agent/adapters/tuf-verifier.ts';
import { openTrust } from '#control-plane/trust/open-trust.ts';
import { TufServer } from '#test/fakes/tuf-server.ts';
import { PROFILE, TrustWorld, dispatcherOf, orderOf, release } from '#test/fakes/trust-world.ts';
import type { Device } from '#test/fakes/trust-world.ts';

const ROUNDS = 8;
/** Six of the Image repository, four of the Director. */
const ROLE_KEYS = 10;

let world: TrustWorld;
let device: Device;

beforeEach(async () => {
  world = await TrustWorld.create();
  device = await world.enrol('edge-1');
});
afterEach(() => world[Symbol.asyncDispose]());

/** Runs a process until it said `done` a few times, kills it some ms later; resolves to the last number it said. */
async function killInTheMiddle(entry: string, args: readonly string[], delayMs: number): Promise<number> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.resolve(entry)), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let last = 0;
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line.split(' ')[1]);
    count += 1;
    if (count === 3) setTimeout(() => child.kill('SIGKILL'), delayMs);
  }
  const [, signal] = (await exited) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return last;
}

it.each(['publish', 'rotate'])(
  'keeps every %s that was finished and mends the one that was not',
  async (mode) => {
    const trustFolder = join(world.directory, 'trust');
    let done = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      done = await killInTheMiddle(
        '#test/fakes/trust-publisher.ts',
        [trustFolder, String(done + 1), mode],
        round * 1.7,
      );
      const trust = await openTrust({ directory: trustFolder, now: () => new Date() });
      expect(trust.image.target(release(done).path)).toBeDefined();
      const order = await trust.director.currentOrder('edge-1');
      expect(order?.custom.seq).toBeGreaterThanOrEqual(done);
      await using server = await TufServer.start(trust);
      const dispatcher = dispatcherOf(device.identity);
      await using verifier = new TufVerifier({
        directory: device.directory,
        identity: { ...device.identity, gatewayUrl: server.url },
        profile: PROFILE,
        dispatcher,
        now: () => new Date(),
      });
      const verified = await verifier.refresh({ highestSeq: done, signal: new AbortController().signal });
      expect(verified?.order).toEqual(order?.custom);
      done = verified?.order.seq ?? 0;
      await dispatcher.destroy();
      // Each kill may leave one key that nothing named yet; none that was replaced.
      expect((await readdir(join(trustFolder, 'keys'))).length).toBeLessThanOrEqual(ROLE_KEYS + round + 1);
      for (const folder of ['image', 'director/devices/edge-1']) {
        expect(await unnamed(join(trustFolder, folder))).toEqual([]);
      }
    }
  },
);

it('forgets nothing that a device verified before it was killed', async () => {
  const publish = async (seq: number) => {
    await world.sign(release(seq));
    await world.trust.director.setOrder('edge-1', orderOf(release(seq), 'edge-1', seq));
  };
  let seq = 1;
  await publish(seq);
  for (let round = 0; round < ROUNDS; round += 1) {
    const stale =
      (await world.trust.director.readDirectorFile('edge-1', 'timestamp.json')) ?? Buffer.alloc(0);
    const goesOn = { value: true };
    const publishing = (async () => {
      while (goesOn.value) await publish((seq += 1));
    })();
    const args = [device.identityFolder, device.directory];
    const seen = await killInTheMiddle('#test/fakes/trust-refresher.ts', args, round * 2.3);
    goesOn.value = false;
    await publishing;
    expect(seen).toBeGreaterThan(0);
    world.server.pin('/director/edge-1/timestamp.json', stale);
    await expect(device.refresh()).rejects.toMatchObject({ code: 'tuf-rollback' });
    world.server.misbehave.clear();
    expect(await device.refresh(seen)).toMatchObject({ order: { seq } });
  }
});

/** Metadata files of a folder that its timestamp leads to no more, and not yet: what a publish that was cut off left. */
async function unnamed(folder: string): Promise<string[]> {
  const signedOf = async (name: string) =>
    (JSON.parse(await readFile(join(folder, name), 'utf8')) as { signed: { meta: Meta } }).signed.meta;
  const timestamp = await signedOf('timestamp.json');
  const snapshot = timestamp['snapshot.json']?.version ?? 0;
  const newest = { ...timestamp, ...(await signedOf(`${snapshot}.snapshot.json`)) };
  return (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
    .filter((name) => {
      const [, version, role = ''] = /^([0-9]+)\.(.+\.json)$/.exec(name) ?? [];
      if (version === undefined) return name.endsWith('.tmp');
      return role !== 'root.json' && Number(version) > (newest[role]?.version ?? 0);
    });
}
type Meta = Readonly<Record<string, { version: number } | undefined>>;
