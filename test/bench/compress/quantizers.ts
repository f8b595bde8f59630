// The two ways to the same model, each a process from its start to the file: ours and the reference.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ReferenceRecipe } from './configurations.ts';
import { measureProcess, type Measured } from './measured-process.ts';

export interface Job {
  readonly model: string;
  readonly samples: string;
  readonly out: string;
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const SCRIPT = at('./python_quantize.py');

export function runOurs({ model, samples, out }: Job, options: readonly string[]): Promise<Measured> {
  const holdfast = at('../../../control-plane/cli/main.ts');
  const files = ['--model', model, '--calibration', samples, '--out', out];
  return measureProcess(process.execPath, [holdfast, 'compress', 'run', ...files, ...options]);
}

export function runReference(
  python: string,
  { model, samples, out }: Job,
  recipe: ReferenceRecipe,
): Promise<Measured> {
  return measureProcess(python, [SCRIPT, model, samples, out, JSON.stringify(recipe)]);
}

/** Versions of the reference's interpreter and packages. Throws where it does not start. */
export function referenceVersions(python: string): Record<string, string> {
  const printed = execFileSync(python, [SCRIPT, '--versions'], { encoding: 'utf8' });
  return JSON.parse(printed) as Record<string, string>;
}
