// `npm run check`: types, lint, format, direction of imports, unused code. All run, whatever the first says.

import { runTool } from './run-tool.ts';
import { hasTypeScript } from './tree.ts';

/** Each has a tsconfig.json of its own; the last two add the types of a browser. */
const TYPE_PROJECTS = ['.', 'control-plane/console', 'test/browser'];

const CHECKS: ReadonlyArray<readonly [name: string, tool: string, args: readonly string[]]> = [
  ...TYPE_PROJECTS.filter((project) => project === '.' || hasTypeScript(project)).map(
    (project) => [`types of ${project}`, 'tsc', ['-p', project]] as const,
  ),
  ['lint', 'oxlint', []],
  ['format', 'oxfmt', ['--check']],
  ['direction of imports', 'node', ['test/build/check-dependencies.ts']],
  ['unused code', 'knip', []],
];

const failed: string[] = [];
for (const [name, tool, args] of CHECKS) {
  console.log(`\n── ${name}: ${tool} ${args.join(' ')}`);
  const begunMs = performance.now();
  const ok = runTool(tool, args) === 0;
  console.log(`${ok ? 'ok' : 'FAILED'} in ${((performance.now() - begunMs) / 1000).toFixed(1)} s`);
  if (!ok) failed.push(name);
}
console.log(failed.length === 0 ? '\ncheck: all ok' : `\ncheck: FAILED: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
