// A repository that sends what it should not, or does not come to an end: TUF 1.0 sections 5.3.3 to 5.6.1.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Simulator } from './simulator.ts';
import { SimulatedWorld } from './simulated-world.ts';

let world: SimulatedWorld;
let repository: Simulator;

beforeEach(async () => {
  world = await SimulatedWorld.start();
  repository = world.repository;
  repository.delegate('targets', 'team');
  repository.publishAll();
});
afterEach(() => world[Symbol.asyncDispose]());

const NAMES = ['2.root.json', 'timestamp.json', '2.snapshot.json', '2.targets.json', '1.team.json'];

async function unavailable(): Promise<void> {
  await expect(world.refresh('file')).rejects.toMatchObject({ code: 'tuf-unavailable' });
}

describe.each(NAMES)('%s', (name) => {
  it('without end is given up at its limit', async () => {
    let sentBytes = 0;
    const closed = new Promise<void>((resolve) => {
      world.misbehave.set(`metadata/${name}`, (_, response) => {
        const pour = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, ' '))) sentBytes += 65_536;
        };
        response.on('drain', pour).on('close', resolve).on('error', resolve);
        pour();
      });
    });
    await unavailable();
    await closed;
    expect(sentBytes).toBeLessThan(16 * 1024 * 1024);
  });

  it('a byte at a time is given up in time', async () => {
    world.misbehave.set(`metadata/${name}`, (_, response) => {
      const drip = setInterval(() => response.write(' '), 50);
      response.on('close', () => clearInterval(drip));
    });
    await unavailable();
  });

  it('that is never answered is given up in time', async () => {
    world.misbehave.set(`metadata/${name}`, () => undefined);
    await unavailable();
  });

  it('elsewhere is not followed', async () => {
    world.misbehave.set(`metadata/${name}`, (_, response) =>
      response.writeHead(302, { location: `${world.url}metadata/elsewhere.json` }).end(),
    );
    await unavailable();
    expect(world.requests).not.toContain('metadata/elsewhere.json');
  });

  it('that breaks off is unavailable, and is taken when it comes', async () => {
    world.misbehave.set(`metadata/${name}`, (_, response) => {
      response.writeHead(200, { 'content-length': 5_000 });
      response.write('{', () => response.destroy());
    });
    await unavailable();
    world.misbehave.clear();
    await world.refresh('file');
    expect(await world.trusted()).toMatchObject({ timestamp: 2, snapshot: 2, targets: 2 });
  });
});

it('keeps what it trusts already when the next file is missing', async () => {
  await world.refresh();
  repository.publishAll();
  repository.files.delete('3.targets.json');
  await unavailable();
  expect(await world.trusted()).toEqual({ root: 1, timestamp: 3, snapshot: 3, targets: 2 });
  repository.files.delete('timestamp.json');
  await unavailable();
  repository.publishAll();
  await world.refresh();
  expect(await world.trusted()).toMatchObject({ timestamp: 4, snapshot: 4, targets: 4 });
});

it('asks no further than the length that is signed', async () => {
  repository.listsHashes = true;
  repository.publishAll();
  let sentBytes = 0;
  world.misbehave.set('metadata/3.targets.json', (_, response) => {
    sentBytes += 2_000_000;
    response.end(Buffer.alloc(2_000_000, ' '));
  });
  await unavailable();
  expect(sentBytes).toBe(2_000_000);
});

it.each([
  '[]',
  'null',
  '{"signed":1}',
  '{"signed":{"_type":"timestamp"},"signatures":{}}',
  '\u{feff}{}',
  '{"a"',
])('takes %j for no metadata', async (text) => {
  repository.files.set('timestamp.json', Buffer.from(text));
  await expect(world.refresh()).rejects.toMatchObject({ code: 'tuf-signature' });
});
