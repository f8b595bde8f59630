import { expect, test } from 'vitest';
import { parseJournal } from '#agent/adapters/journal-schema.ts';
import { AgentWorld } from '#test/fakes/agent-world.ts';

test('an order in hand from an agent that knew no sources and no signatures can be read', async () => {
  const world = await AgentWorld.start();
  world.publish(1);
  world.order(1, 1, { mode: 'direct' });
  await world.untilState('probation');
  const text = JSON.stringify(world.state);
  const old = text.replace(/,"sourceSha256":null,"authorSignature":null/, '');
  expect(old).not.toBe(text);
  expect(parseJournal(JSON.parse(old))).toEqual(JSON.parse(text));
});
