// Builds the web console into control-plane/console/dist, from where the control plane serves it.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runToolOrFail } from './run-tool.ts';
import { ROOT } from './tree.ts';

const CONSOLE = join(ROOT, 'control-plane', 'console');

/** Builds the console; answers the folder it lies in, or undefined where the checkout holds no console. */
export function buildConsole(): string | undefined {
  if (!existsSync(join(CONSOLE, 'index.html'))) return undefined;
  runToolOrFail('vite', ['build', CONSOLE, '--logLevel', 'warn', '--emptyOutDir']);
  return join(CONSOLE, 'dist');
}

if (import.meta.main) {
  const folder = buildConsole();
  console.log(folder === undefined ? 'console: no sources, nothing built' : `console: built in ${folder}`);
}
