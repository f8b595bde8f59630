// `npm run demo`: Holdfast's main job on this machine, with real parts. `--once` stops everything at the
// end, writes demo-report.json and fails when a step went otherwise than expected.

import { mkdtemp, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runDemo } from './run.ts';

const isOnce = process.argv.includes('--once');
const unknown = process.argv.slice(2).filter((argument) => argument !== '--once');
const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

if (unknown.length > 0) {
  print(`demo: unknown argument ${unknown.join(' ')}; only --once is known`);
  process.exitCode = 2;
} else {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-demo-'));
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  await using demo = await runDemo({ folder, print, signal: stop.signal });
  const { report } = demo;
  if (isOnce) await writeFile('demo-report.json', `${JSON.stringify(report, null, 2)}\n`);
  print(`\n${report.ok ? 'All as expected' : 'NOT all as expected'}, ${report.seconds} s.`);
  if (isOnce || !report.ok) {
    process.exitCode = report.ok ? 0 : 1;
  } else {
    for (const line of demo.nextThings()) print(line);
    if (!stop.signal.aborted) await once(stop.signal, 'abort');
  }
  if (!report.ok) print(`The processes' logs are in ${folder}`);
}
