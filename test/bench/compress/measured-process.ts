// Runs a command to its end and says how long it took and how much memory its whole process tree held at most.
// Memory is the sum of the high-water marks (VmHWM) of the processes alive at one time, so it errs upwards: pages
// that processes share count for each. Linux only; elsewhere memory is null.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

export interface Measured {
  readonly code: number | null;
  readonly seconds: number;
  readonly peakBytes: number | null;
  /** The end of standard error. */
  readonly complaint: string;
}

const INTERVAL_MS = 20;
const TAIL_CHARACTERS = 2_000;

export async function measureProcess(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Measured> {
  const startedAt = performance.now();
  const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-TAIL_CHARACTERS);
  });
  let peakBytes: number | null = null;
  const timer = setInterval(() => {
    const heldBytes = child.pid === undefined ? 0 : treeBytes(child.pid);
    if (heldBytes > 0) peakBytes = Math.max(peakBytes ?? 0, heldBytes);
  }, INTERVAL_MS);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, seconds: (performance.now() - startedAt) / 1_000, peakBytes, complaint };
  } finally {
    clearInterval(timer);
  }
}

function treeBytes(processId: number): number {
  const kibibytes = Number(/^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${processId}/status`))?.[1] ?? 0);
  const children = read(`/proc/${processId}/task/${processId}/children`).trim().split(' ').filter(Boolean);
  return children.reduce((sum, child) => sum + treeBytes(Number(child)), 1_024 * kibibytes);
}

/** Empty when the process is gone, or on another system. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
