// The agent's serving path in a process of its own, as an agent runs it: local server, Open Inference
// Protocol, serving, a worker process. Says its address; ends with its parent.

import { systemChance, systemClock } from '#agent/adapters/system-clock.ts';
import { ProcessRuntime } from '#agent/adapters/worker-process.ts';
import { oipRoutes } from '#agent/http/oip.ts';
import { LocalServer } from '#agent/http/server.ts';
import { Serving } from '#agent/supervisor/serving/serving.ts';
import { benchSubject, type BenchModel } from './serve-models.ts';

const { load } = benchSubject(process.argv[2] as BenchModel);
const complain = (line: unknown): void => void process.stderr.write(`${JSON.stringify(line)}\n`);
const logger = { debug: () => undefined, info: () => undefined, warn: complain, error: complain };
const runtime = new ProcessRuntime({ log: complain });
const serving = new Serving({
  runtime,
  clock: systemClock,
  chance: systemChance,
  throttleEpoch: () => 0,
  listener: {},
});
const worker = await runtime.spawn('a');
await worker.load(load);
const { model, weights } = load.contract;
const release = {
  model,
  version: 1,
  profile: load.profile.name,
  weightsSha256: weights.sha256,
  sinceMs: Date.now(),
};
await serving.swapTo({ slot: 'a', release, load, worker });
const server = await LocalServer.listen(0, logger);
server.serve(oipRoutes({ serving, agentVersion: '0.0.0', log: complain }));
process.on('disconnect', () => process.exit(0));
process.send?.(server.url);
