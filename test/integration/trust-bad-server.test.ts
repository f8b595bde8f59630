// A gateway that will not behave: what it sends cannot lead a device astray, fill it, or hold it up.

import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ErrorCode } from '#protocol/errors.ts';
import { PROFILE, TrustWorld, orderOf, release } from '#test/fakes/trust-world.ts';
import type { Device } from '#test/fakes/trust-world.ts';

const DIRECTOR = 'director/edge-1';

let world: TrustWorld;
let device: Device;

beforeEach(async () => {
  world = await TrustWorld.create();
  device = await world.enrol('edge-1');
  for (const version of [1, 2]) await world.sign(release(version));
  await world.trust.director.setOrder('edge-1', orderOf(release(1), 'edge-1', 1));
  await device.refresh();
});
afterEach(() => world[Symbol.asyncDispose]());

async function refused(code: ErrorCode): Promise<void> {
  await expect(device.refresh()).rejects.toMatchObject({ name: 'HoldfastError', code });
}

it('is not followed to another place', async () => {
  world.server.misbehave.set(`/${DIRECTOR}/timestamp.json`, (_, response) => {
    response.writeHead(302, { location: `${world.server.url}/elsewhere` }).end();
  });
  await refused('tuf-unavailable');
  expect(world.server.requests).not.toContain('/elsewhere');
});

it.each(['2.root.json', 'timestamp.json', '3.snapshot.json', '3.targets.json'])(
  'sends %s without end in vain',
  async (name) => {
    await world.trust.director.setOrder('edge-1', orderOf(release(2), 'edge-1', 2));
    let sentBytes = 0;
    const closed = new Promise<void>((resolve) => {
      world.server.misbehave.set(`/${DIRECTOR}/${name}`, (_, response) => {
        const chunk = Buffer.alloc(65_536, ' ');
        const pour = () => {
          let hasRoom = true;
          while (hasRoom && !response.destroyed) {
            hasRoom = response.write(chunk);
            sentBytes += chunk.length;
          }
        };
        response.on('drain', pour).on('close', resolve).on('error', resolve);
        pour();
      });
    });
    await refused('tuf-unavailable');
    await closed;
    expect(sentBytes).toBeLessThan(16 * 1024 * 1024);
  },
);

it('drips a byte at a time in vain', async () => {
  world.server.misbehave.set(`/${DIRECTOR}/timestamp.json`, (_, response) => {
    const drip = setInterval(() => response.write(' '), 50);
    response.on('close', () => clearInterval(drip));
  });
  await refused('tuf-unavailable');
});

it.each([400, 403, 404, 500, 503])('that answers %i for a timestamp is unavailable', async (status) => {
  world.server.misbehave.set(`/${DIRECTOR}/timestamp.json`, (_, response) =>
    response.writeHead(status).end(),
  );
  await refused('tuf-unavailable');
  world.server.misbehave.clear();
  expect(await device.refresh()).toMatchObject({ order: { profile: PROFILE } });
});

it('that is gone is unavailable', async () => {
  await world.server[Symbol.asyncDispose]();
  await refused('tuf-unavailable');
});

it('cannot keep a refresh that is stopped', async () => {
  const stop = new AbortController();
  world.server.misbehave.set(`/${DIRECTOR}/timestamp.json`, () => stop.abort());
  const refresh = device.verifier.refresh({ highestSeq: 0, signal: stop.signal });
  await expect(refresh).rejects.toMatchObject({ code: 'cancelled' });
});

it('cannot keep a verifier from being disposed', async () => {
  const asked = new Promise<void>((resolve) => {
    world.server.misbehave.set(`/${DIRECTOR}/timestamp.json`, () => resolve());
  });
  const outcome = device.refresh().catch((error: unknown) => error);
  await asked;
  await device.verifier[Symbol.asyncDispose]();
  expect(await outcome).toMatchObject({ code: 'cancelled' });
});

it('with a certificate of another authority is unavailable', async () => {
  await using other = await TrustWorld.create();
  const before = [...world.server.requests];
  const stranger = await other.enrol('edge-1', { gatewayUrl: world.server.url });
  await expect(stranger.refresh()).rejects.toMatchObject({ code: 'tuf-unavailable' });
  expect(world.server.requests).toEqual(before);
});
