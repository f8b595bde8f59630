// Runs a development tool of this checkout's node_modules.

import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { ROOT } from './tree.ts';

const BIN = join(ROOT, 'node_modules', '.bin');

/** Runs `tool` from the root of the checkout, its output on this terminal; answers its exit status. */
export function runTool(tool: string, args: readonly string[]): number {
  const { status, error } = spawnSync(join(BIN, tool), args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${BIN}${delimiter}${process.env['PATH'] ?? ''}` },
  });
  if (error) throw new Error(`${tool} did not start; run npm ci first`, { cause: error });
  return status ?? 1;
}

/** As `runTool`, where any status but 0 ends the script. */
export function runToolOrFail(tool: string, args: readonly string[]): void {
  const status = runTool(tool, args);
  if (status !== 0) throw new Error(`${tool} ${args.join(' ')} ended with status ${status}`);
}
