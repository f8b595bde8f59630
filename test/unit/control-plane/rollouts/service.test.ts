import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorCodeOf } from '#protocol/errors.ts';
import { plan, RolloutWorld } from '#test/fakes/rollout-world.ts';

let world: RolloutWorld;
beforeEach(async () => {
  world = await RolloutWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

describe('a rollout is refused', () => {
  const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'nothing', errorCodeOf);

  it('when another is open on its devices', async () => {
    await world.service.create(plan(), 'test');
    expect(await codeOf(world.service.create(plan({ version: 3 }), 'test'))).toBe('conflict');
  });

  it('when a profile has no signed release', async () => {
    expect(await codeOf(world.service.create(plan({ version: 99 }), 'test'))).toBe('profile-unknown');
  });

  it('when the selector matches nothing or names strangers', async () => {
    expect(
      await codeOf(world.service.create(plan({ selector: { labels: { site: 'nowhere' } } }), 'test')),
    ).toBe('selector-empty');
    expect(await codeOf(world.service.create(plan({ selector: { devices: ['nobody'] } }), 'test'))).toBe(
      'not-found',
    );
  });

  it('when the command means nothing in its phase', async () => {
    const { id } = await world.service.create(plan({ draft: true }), 'test');
    expect(await codeOf(world.service.resume(id, 'test'))).toBe('wrong-phase');
    expect(await codeOf(world.service.pause('ro-none', 'test'))).toBe('not-found');
  });
});
