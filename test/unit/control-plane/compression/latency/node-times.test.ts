import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { nodeTimes } from '#control-plane/compression/latency/node-times.ts';
import { convBytes, convFeeds } from '../small-models.ts';

test('every node that runs has a time, and the trace is gone afterwards', async () => {
  const own = () => readdirSync(tmpdir()).filter((name) => name.startsWith(`holdfast-job-${process.pid}-`));
  const before = own();
  const [feed = {}] = convFeeds(1);
  const times = await nodeTimes(convBytes(), feed);
  expect(times.filter(({ opType }) => opType.endsWith('Conv'))).toHaveLength(2);
  expect(times.every(({ timeUs }) => Number.isFinite(timeUs) && timeUs >= 0)).toBe(true);
  expect(new Set(times.map(({ name }) => name)).size).toBe(times.length);
  expect(own()).toEqual(before);
});
