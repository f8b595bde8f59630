// A supervisor to be killed in a test: starts a worker, gives it a run that never ends, prints its pid.

import { ProcessRuntime } from '#agent/adapters/worker-process.ts';
import { roundsLoad } from './worker-models.ts';

const runtime = new ProcessRuntime({ log: () => undefined });
const worker = await runtime.spawn('a');
await worker.load(roundsLoad());
const data = new Uint8Array(BigInt64Array.of(10n ** 12n).buffer);
const run = worker.infer({ inputs: { rounds: { dtype: 'INT64', shape: [], data } }, deadlineMs: 60_000 });
process.stdout.write(`${worker.pid}\n`);
await run;
