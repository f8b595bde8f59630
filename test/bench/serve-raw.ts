// The bare loop, in a process of its own: the same session as a worker opens, run by as many loops as there
// are clients. Answers {clients, seconds} with the latencies of one round.

import { countPhysicalCores, intraOpThreads } from '#agent/worker/physical-cores.ts';
import { toFeeds } from '#agent/worker/ort-tensors.ts';
import { create } from '#agent/worker/session.ts';
import { benchSubject, type BenchModel } from './serve-models.ts';
import type { RoundRequest, RoundTimes } from './serve-side.ts';

const subject = benchSubject(process.argv[2] as BenchModel);
const session = await create(subject.load.weightsPath, ['cpu'], intraOpThreads(countPhysicalCores()));
const feeds = toFeeds({ [subject.input]: subject.tensor });

async function round({ clients, seconds }: RoundRequest): Promise<RoundTimes> {
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  const untilMs = startMs + 1_000 * seconds;
  const loop = async (): Promise<void> => {
    for (let nowMs = performance.now(); nowMs < untilMs;) {
      await session.run(feeds);
      const doneMs = performance.now();
      latenciesMs.push(doneMs - nowMs);
      nowMs = doneMs;
    }
  };
  await Promise.all(Array.from({ length: clients }, loop));
  return { latenciesMs, elapsedMs: performance.now() - startMs };
}

process.on('message', (request: RoundRequest) => {
  round(request).then(
    (times) => process.send?.(times),
    (error: unknown) => {
      throw error;
    },
  );
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
