// A compression job, its candidates timed by an agent in service: control plane and agent as processes.

import { expect, test } from 'vitest';
import { modelVersionDetailSchema } from '#protocol/api.ts';
import { AgentFleet } from './agent-fleet.ts';

test('a device that serves one version times the candidates of the next, and drops no request', async () => {
  const fleet = await AgentFleet.start();
  const agent = await fleet.agent('gate-1');
  await fleet.publish(1);
  await fleet.rollOut(1);
  await agent.until(({ deployment }) => deployment?.state === 'healthy', 'version 1');

  const state = { isPublished: false };
  const published = fleet.publish(5).finally(() => (state.isPublished = true));
  const statuses: number[] = [];
  while (!state.isPublished) statuses.push(await agent.infer());
  await published;

  const { choices } = await fleet.api.get('/models/digits/versions/5', modelVersionDetailSchema);
  const timings = choices.flatMap(({ candidates }) => candidates.map(({ device }) => device));
  expect(timings).toEqual([expect.objectContaining({ deviceId: 'gate-1', runs: 200 })]);
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect((await agent.status()).active?.version).toBe(1);
});
