// Checks that imports point the way docs/architecture.md says (rules: .dependency-cruiser.mjs), and that the
// cruise saw the tree: a cruise of nothing, or one that resolves no subpath imports, finds no violations.
// Usage: node test/build/check-dependencies.ts [ROOT_FOLDER]

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';
import type { ICruiseResult } from 'dependency-cruiser';
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import { HOUSES, ROOT, hasTypeScript } from './tree.ts';

const MIN_MODULES = 20;
const DRAWERS = /(^|\/)(utils?|helpers?|lib|common|misc)\//;
const BARREL = /(^|\/)index\.tsx?$/;

/** What a cruise found wrong, one line a finding, and how much of the tree it saw. */
export interface DependencyReport {
  readonly problems: readonly string[];
  readonly moduleCount: number;
  readonly importCount: number;
}

/** Cruises the houses under `root` and says what breaks the rules; a cruise that saw too little is a problem. */
export async function checkDependencies(root: string): Promise<DependencyReport> {
  const folders = [...HOUSES, 'test'].filter((house) => hasTypeScript(house, root));
  const options = await extractOptions(
    fileURLToPath(new URL('../../.dependency-cruiser.mjs', import.meta.url)),
  );
  const { output } = await cruise(folders, { ...options, baseDir: root });
  if (typeof output === 'string') throw new Error('dependency-cruiser answered text instead of a result');
  const own = output.modules.filter((module) =>
    folders.some((folder) => module.source.startsWith(`${folder}/`)),
  );
  return {
    problems: [
      ...violations(output),
      ...misplaced(own.map(({ source }) => source)),
      ...blindness(output, folders),
    ],
    moduleCount: own.length,
    importCount: own.reduce((sum, module) => sum + module.dependencies.length, 0),
  };
}

function violations({ summary }: ICruiseResult): string[] {
  return summary.violations.map(({ rule, from, to, comment, cycle }) => {
    const path = cycle ? cycle.map(({ name }) => name).join(' → ') : to;
    return `${rule.name}: ${from} → ${path}${comment === undefined ? '' : `  (${comment})`}`;
  });
}

function misplaced(sources: readonly string[]): string[] {
  return sources.flatMap((source) => [
    ...(DRAWERS.test(source) ? [`no-drawers: ${source} lies in a folder named for no duty`] : []),
    ...(BARREL.test(source) && source !== 'protocol/index.ts' ? [`no-barrels: ${source}`] : []),
  ]);
}

/** Assertions that the cruise saw what is there. */
function blindness({ modules }: ICruiseResult, folders: readonly string[]): string[] {
  const seenIn = (folder: string) => modules.filter(({ source }) => source.startsWith(`${folder}/`));
  const reachesProtocol = (folder: string) =>
    seenIn(folder).some(({ dependencies }) =>
      dependencies.some(
        ({ module, resolved }) => module.startsWith('#protocol/') && resolved.startsWith('protocol/'),
      ),
    );
  const own = folders.flatMap(seenIn).length;
  return [
    ...(own > MIN_MODULES ? [] : [`blind: the cruise saw ${own} modules, expected more than ${MIN_MODULES}`]),
    ...HOUSES.filter((house) => seenIn(house).length === 0).map(
      (house) => `blind: no module seen in ${house}/`,
    ),
    ...['agent', 'control-plane']
      .filter((house) => seenIn(house).length > 0 && !reachesProtocol(house))
      .map((house) => `blind: no import of #protocol/ resolved from ${house}/`),
  ];
}

if (import.meta.main) {
  const report = await checkDependencies(resolve(process.argv[2] ?? ROOT));
  for (const problem of report.problems) console.error(problem);
  console.log(
    `${report.moduleCount} modules, ${report.importCount} imports, ${report.problems.length} problems`,
  );
  process.exitCode = report.problems.length > 0 ? 1 : 0;
}
