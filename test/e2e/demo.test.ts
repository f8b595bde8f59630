// The README's demo as a newcomer runs it, with its report; and the same with processes killed at chosen
// moments, which must come to the same end.

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ManagedProcess } from '#test/demo/managed-process.ts';
import type { DemoReport } from '#test/demo/report.ts';
import { runDemo } from '#test/demo/run.ts';
import { devicesOf } from '#test/demo/steps.ts';

interface Ending {
  readonly report: DemoReport;
  readonly running: (string | undefined)[];
  readonly lines: string[];
}

async function tellDemo(onProcess: (process: ManagedProcess) => void): Promise<Ending> {
  const lines: string[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-e2e-'));
  const print = (line: string): void => void lines.push(line);
  await using demo = await runDemo({ folder, print, signal: new AbortController().signal, onProcess });
  const devices = await devicesOf(demo.fleet.api());
  const running = devices.map(
    ({ id, reported }) => `${id}: ${reported?.active?.model} ${reported?.active?.version}`,
  );
  return { report: demo.report, running, lines };
}

function expectSameEnd({ report, running, lines }: Ending): void {
  const wrong = report.steps.filter((step) => !step.ok);
  expect(wrong, lines.join('\n')).toEqual([]);
  expect(report.steps, lines.join('\n')).toHaveLength(10);
  expect(running).toEqual(['edge-1: digits 1', 'edge-2: digits 1', 'edge-3: digits 1']);
}

/** A process is killed the first time it writes such a line. */
interface Kill {
  readonly process: string;
  readonly line: RegExp;
}

const plane = (summary: RegExp): Kill => ({ process: 'control plane', line: summary });
const agent = (name: string, version: number, state: string): Kill => ({
  process: `agent ${name}`,
  line: new RegExp(`"msg":"deployment".*"version":${version},"state":"${state}"`),
});

/** edge-3 is the canary: its profile comes first by name. */
const KILLS: readonly Kill[] = [
  plane(/edge-2 .*enrolled/),
  plane(/"kind":"model".*imported/),
  plane(/"kind":"job".*queued/),
  plane(/edge-3 is told to run digits 1/),
  agent('edge-3', 1, 'downloading'),
  agent('edge-3', 1, 'golden'),
  agent('edge-3', 1, 'probation'),
  plane(/wave 0 is healthy and soaks/),
  plane(/wave 1 begins/),
  agent('edge-2', 1, 'loading'),
  agent('edge-1', 1, 'activating'),
  agent('edge-3', 2, 'golden'),
  agent('edge-3', 3, 'shadow'),
  plane(/rolling-back: edge-3 rolled-back/),
  agent('edge-3', 4, 'shadow'),
  plane(/paused: held for a person/),
  agent('edge-2', 5, 'verifying'),
  agent('edge-1', 5, 'probation'),
  plane(/rolling-back: rollback by/),
];

describe('the demo', () => {
  it('goes as expected', async () => expectSameEnd(await tellDemo(() => undefined)));

  it('comes to the same end when its processes are killed on the way', async () => {
    const left = new Set(KILLS);
    const failures: unknown[] = [];
    const ending = await tellDemo((process) =>
      process.onLine((line) => {
        const kill = [...left].find((one) => one.process === process.spec.name && one.line.test(line));
        if (kill === undefined) return;
        left.delete(kill);
        process.killAndRestart().catch((error: unknown) => failures.push(error));
      }),
    );
    expect(failures).toEqual([]);
    expectSameEnd(ending);
    expect(
      left.size,
      `not killed: ${[...left].map((kill) => `${kill.process} ${kill.line}`).join(', ')}`,
    ).toBe(0);
  });
});
