import { expect, test } from 'vitest';
import { measureProcess } from '#test/bench/compress/measured-process.ts';

const MIB = 1024 ** 2;
const run = (script: string) => measureProcess(process.execPath, ['-e', script]);
/** Holds 200 MiB until its input ends. */
const HOLDS = 'const held = Buffer.alloc(200 * 1024 ** 2, 1); setTimeout(() => held.length, 300)';

test.runIf(process.platform === 'linux')('memory that a child of the process held counts', async () => {
  const parent = `require('node:child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(HOLDS)}])`;
  const [idle, busy] = [await run('setTimeout(() => undefined, 100)'), await run(parent)];
  expect(idle.peakBytes).toBeGreaterThan(10 * MIB);
  expect((busy.peakBytes ?? 0) - (idle.peakBytes ?? 0)).toBeGreaterThan(190 * MIB);
});

test('the exit code, the time and the end of standard error are told', async () => {
  const ended = await run("setTimeout(() => { console.error('no such model'); process.exit(3) }, 200)");
  expect(ended).toMatchObject({ code: 3, complaint: 'no such model\n' });
  expect(ended.seconds).toBeGreaterThanOrEqual(0.2);
});
