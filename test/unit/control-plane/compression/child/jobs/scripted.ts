// A child job that does what it is told: the other end of run-job.test.ts.

import { appendFileSync } from 'node:fs';
import { serveJob } from '#control-plane/compression/child/serve-job.ts';
import { HoldfastError } from '#protocol/errors.ts';

interface Script {
  readonly act: 'answer' | 'fail' | 'throw' | 'die' | 'spin' | 'grow' | 'babble' | 'environment';
  readonly pidFile?: string;
}

process.once('disconnect', () => process.exit(1));

await serveJob(async (job, progress) => {
  const { act, pidFile } = job as Script;
  if (pidFile !== undefined) appendFileSync(pidFile, `${process.pid}\n`);
  if (act === 'fail') throw new HoldfastError('dataset-invalid', 'bad data', { hint: 'good data' });
  if (act === 'throw') throw new TypeError('a bug');
  if (act === 'die') {
    process.stderr.write('last words\n');
    process.kill(process.pid, 'SIGSEGV');
  }
  if (act === 'babble') process.send?.({ kind: 'nonsense' });
  if (act === 'environment') return Object.keys(process.env).toSorted();
  const kept: Buffer[] = [];
  if (act === 'grow') for (let block = 0; block < 60; block++) kept.push(await grown());
  if (act === 'spin') {
    progress({ phase: 'spin', done: 0, total: 1 });
    await new Promise((resolve) => setImmediate(resolve)); // a turn of the loop writes the progress message out
    for (;;);
  }
  progress({ phase: 'half', done: 1, total: 2 });
  await Promise.resolve();
  return { job, kept: kept.length };
});

/** 16 MiB of memory that is really used, a little later. */
async function grown(): Promise<Buffer> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  return Buffer.alloc(16 * 1024 ** 2, 1);
}
