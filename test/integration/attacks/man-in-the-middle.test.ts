// Somebody between the gateway and a device who has the fleet's own CA, so that TLS does not stop him: replay, freeze,
// rollback, forgery, mix-and-match; with keys of the Director where it says so. What he cannot do by holding data back or
// sending too much is in trust-bad-server.test.ts.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeDirectorCustom } from '#protocol/director-custom.ts';
import type { ErrorCode } from '#protocol/errors.ts';
import { TrustThief } from '#test/fakes/trust-thief.ts';
import { TrustWorld, orderOf, release } from '#test/fakes/trust-world.ts';
import type { Device, Release } from '#test/fakes/trust-world.ts';

const DAY_MS = 86_400_000;
const DIRECTOR = 'director/edge-1';

let world: TrustWorld;
let device: Device;
let thief: TrustThief;

beforeEach(async () => {
  world = await TrustWorld.create();
  device = await world.enrol('edge-1');
  thief = new TrustThief(world);
  await world.sign(release(1));
  await world.sign(release(2));
  await world.trust.director.setOrder('edge-1', orderOf(release(1), 'edge-1', 1));
  await device.refresh();
});
afterEach(() => world[Symbol.asyncDispose]());

async function refused(code: ErrorCode, highestSeq = 0): Promise<void> {
  await expect(device.refresh(highestSeq)).rejects.toMatchObject({ name: 'HoldfastError', code });
}

async function bytesOf(name: string): Promise<Buffer> {
  const [repository, file] = [name.slice(0, name.lastIndexOf('/')), name.slice(name.lastIndexOf('/') + 1)];
  const bytes =
    repository === 'image'
      ? await world.trust.image.readImageFile(file)
      : await world.trust.director.readDirectorFile('edge-1', file);
  if (bytes === null) throw new Error(`no ${name}`);
  return bytes;
}

function forgedOrder(wanted: Release, seq: number) {
  const { targetPath, length, sha256, custom } = orderOf(wanted, 'edge-1', seq);
  return { [targetPath]: { length, sha256, custom: { ...encodeDirectorCustom(custom) } } };
}

describe('freeze', () => {
  it('turns down Director metadata that has expired, and goes on once it is signed anew', async () => {
    world.nowMs += DAY_MS + 60_000;
    await refused('tuf-expired');
    await world.trust.director.resignExpiring();
    expect(await device.refresh()).toMatchObject({ order: { seq: 1 } });
  });

  it('turns down Image metadata that has expired', async () => {
    world.nowMs += 8 * DAY_MS;
    await world.trust.director.resignExpiring();
    await refused('tuf-expired');
    await world.trust.image.resign();
    expect(await device.refresh()).toMatchObject({ order: { seq: 1 } });
  });

  it('turns down everything with a clock ten years ahead', async () => {
    world.nowMs += 3_653 * DAY_MS;
    await refused('tuf-expired');
  });
});

describe('rollback', () => {
  it.each([DIRECTOR, 'image'])('turns down an older timestamp of %s', async (repository) => {
    const old = await bytesOf(`${repository}/timestamp.json`);
    await world.sign(release(3));
    await world.trust.director.setOrder('edge-1', orderOf(release(2), 'edge-1', 2));
    await device.refresh();
    world.server.pin(`/${repository}/timestamp.json`, old);
    await refused('tuf-rollback');
  });

  it('remembers a timestamp that it saw in a refresh that failed', async () => {
    const old = await bytesOf(`${DIRECTOR}/timestamp.json`);
    await world.trust.director.setOrder('edge-1', orderOf(release(2), 'edge-1', 2));
    world.server.misbehave.set(`/${DIRECTOR}/3.snapshot.json`, (_, response) => response.destroy());
    await refused('tuf-unavailable');
    world.server.pin(`/${DIRECTOR}/timestamp.json`, old);
    await refused('tuf-rollback');
    world.server.misbehave.clear();
    expect(await device.refresh()).toMatchObject({ order: { seq: 2 } });
  });

  it.each(['snapshot', 'targets'] as const)(
    'turns down an older %s under a stolen timestamp key',
    async (role) => {
      await world.trust.director.setOrder('edge-1', orderOf(release(2), 'edge-1', 2));
      await device.refresh();
      await thief.serve(DIRECTOR, {
        version: 9,
        versions: { [role]: 2 },
        targets: forgedOrder(release(1), 1),
        extra: { deviceId: 'edge-1' },
      });
      await refused('tuf-rollback');
    },
  );

  it('turns down an order below the highest that it accepted', async () => {
    await refused('tuf-rollback', 2);
    expect(await device.refresh(1)).toMatchObject({ order: { seq: 1 } });
  });

  it('turns down a release below the floor of its model', async () => {
    await world.trust.image.setFloor('digits', 2);
    await refused('tuf-below-floor');
    await world.trust.director.setOrder('edge-1', orderOf(release(2), 'edge-1', 2));
    expect(await device.refresh()).toMatchObject({ floor: 2 });
  });
});

describe('forgery', () => {
  it.each(['timestamp', 'snapshot', 'targets'] as const)(
    'turns down a %s signed with a strange key',
    async (role) => {
      const key = await (await world.stolenKeys()).ensure('strange');
      await thief.serve(DIRECTOR, {
        version: 9,
        targets: forgedOrder(release(2), 2),
        extra: { deviceId: 'edge-1' },
        keys: { [role]: key },
      });
      await refused('tuf-signature');
    },
  );

  it('turns down a next root that the trusted root did not sign', async () => {
    await using other = await TrustWorld.create();
    world.server.pin(`/${DIRECTOR}/2.root.json`, other.trust.director.trustedRoot);
    await refused('tuf-signature');
  });

  it.each(['not json', '{}', '[]', '{"signed":{"_type":"timestamp"},"signatures":[]}', '\u0000'])(
    'turns down %j for a timestamp',
    async (bytes) => {
      world.server.pin(`/${DIRECTOR}/timestamp.json`, bytes);
      await refused('tuf-signature');
    },
  );

  it.each(['+010000-01-01T00:00:00Z', '2999-02-31', 'Fri, 01 Jan 2999'])(
    'turns down the expiry %j, which tuf-js reads in its own way',
    async (expires) => {
      await thief.serve(DIRECTOR, { version: 9, targets: {}, extra: { deviceId: 'edge-1' }, expires });
      await refused('tuf-signature');
    },
  );

  it('turns down a flipped bit in any role', async () => {
    await world.trust.director.setOrder('edge-1', orderOf(release(2), 'edge-1', 2));
    for (const [name, code] of [
      ['timestamp.json', 'tuf-signature'],
      ['3.snapshot.json', 'tuf-signature'],
      ['3.targets.json', 'tuf-mismatch'],
    ] as const) {
      const text = (await bytesOf(`${DIRECTOR}/${name}`)).toString('utf8');
      world.server.pin(`/${DIRECTOR}/${name}`, text.replace('"edge-1"', '"edge-9"'));
      await refused(code);
      world.server.misbehave.clear();
    }
    expect(await device.refresh()).toMatchObject({ order: { seq: 2 } });
  });
});

describe('mix and match', () => {
  it.each(['snapshot', 'targets'])(
    'turns down a %s of another publish under the expected name',
    async (role) => {
      const old = await bytesOf(`${DIRECTOR}/2.${role}.json`);
      await world.trust.director.setOrder('edge-1', orderOf(release(2), 'edge-1', 2));
      world.server.pin(`/${DIRECTOR}/3.${role}.json`, old);
      await refused('tuf-mismatch');
    },
  );

  it('turns down Director metadata of another device, and is not thrown off by its versions', async () => {
    await world.enrol('edge-2');
    for (let seq = 1; seq <= 5; seq += 1) {
      await world.trust.director.setOrder('edge-2', orderOf(release(2), 'edge-2', seq));
    }
    for (const name of ['timestamp.json', '6.snapshot.json', '6.targets.json']) {
      const bytes = await world.trust.director.readDirectorFile('edge-2', name);
      world.server.pin(`/${DIRECTOR}/${name}`, bytes ?? 'missing');
    }
    await refused('tuf-wrong-device');
    world.server.misbehave.clear();
    expect(await device.refresh()).toMatchObject({ order: { deviceId: 'edge-1', seq: 1 } });
  });
});

describe('too much and too little', () => {
  const roles = ['timestamp', 'snapshot', 'targets', 'pipeline'];

  /** Where a device would fetch a role of the Image repository from now. */
  async function pathOf(role: string): Promise<string> {
    await world.sign(release(3));
    const before = world.server.requests.length;
    await (
      await world.enrol('edge-2')
    ).verifier
      .verifyMeasurement(release(3).path, new AbortController().signal)
      .catch(() => null);
    const asked = world.server.requests.slice(before);
    return (
      asked.find((path) => path.startsWith('/image/') && path.endsWith(`${role}.json`)) ?? `none of ${role}`
    );
  }

  it.each(roles)('pours %s without end in vain', async (role) => {
    const path = await pathOf(role);
    let sentBytes = 0;
    world.server.misbehave.set(path, (_, response) => {
      const pour = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, ' '))) sentBytes += 65_536;
      };
      response.on('drain', pour).on('error', () => undefined);
      pour();
    });
    await refused('tuf-unavailable');
    expect(sentBytes).toBeLessThan(16 * 1024 * 1024);
  });

  it.each(roles)('drips %s a byte at a time in vain', async (role) => {
    world.server.misbehave.set(await pathOf(role), (_, response) => {
      const drip = setInterval(() => response.write(' '), 50);
      response.on('close', () => clearInterval(drip));
    });
    await refused('tuf-unavailable');
  });
});

describe('new keys', () => {
  it('recover a device that a thief threw far ahead', async () => {
    await thief.serve(DIRECTOR, {
      version: 1_000_000,
      targets: forgedOrder(release(1), 1),
      extra: { deviceId: 'edge-1' },
    });
    await device.refresh();
    world.server.misbehave.clear();
    await refused('tuf-rollback');
    const store = await world.stolenKeys();
    const keys = {
      timestamp: await store.ensure('new-timestamp'),
      snapshot: await store.ensure('new-snapshot'),
    };
    await thief.serveRoot(DIRECTOR, 2, keys);
    await thief.serve(DIRECTOR, {
      version: 3,
      targets: forgedOrder(release(2), 2),
      extra: { deviceId: 'edge-1' },
      keys,
    });
    expect(await device.refresh()).toMatchObject({ order: { seq: 2 } });
  });
});
