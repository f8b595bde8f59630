// Builds dist/, which is what the npm package ships: Node strips no types under node_modules, so dist/ holds
// JavaScript, the data files beside it, the built console, and a package.json that maps the subpath imports
// (`#protocol/x.ts`) to the built files.

import { chmodSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildConsole } from './build-console.ts';
import { runToolOrFail } from './run-tool.ts';
import { HOUSES, ROOT } from './tree.ts';

const DIST = join(ROOT, 'dist');
const SHEBANG = '#!/usr/bin/env node\n';

/** Sources and leftovers that stay behind; everything else in a house is data and ships. */
const NOT_DATA = /(\.tsx?|[/\\](tsconfig\.json|__pycache__|node_modules|console|dist))$/;

function copyData(): void {
  for (const folder of [...HOUSES, 'firmware-profiles']) {
    cpSync(join(ROOT, folder), join(DIST, folder), {
      recursive: true,
      filter: (path) => !NOT_DATA.test(path),
    });
  }
}

function copyConsole(): void {
  const built = buildConsole();
  if (built !== undefined) cpSync(built, join(DIST, 'control-plane', 'console', 'dist'), { recursive: true });
}

/** The nearest package.json decides how Node resolves `#...`: this one turns `.ts` into `.js`. */
function writeManifest(): void {
  const imports = Object.fromEntries(
    HOUSES.flatMap((house) => [
      [`#${house}/*.ts`, `./${house}/*.js`],
      [`#${house}/*`, `./${house}/*`],
    ]),
  );
  writeFileSync(join(DIST, 'package.json'), `${JSON.stringify({ type: 'module', imports }, null, 2)}\n`);
}

function checkCommands(): void {
  const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
  };
  for (const [command, file] of Object.entries(bin)) {
    const source = readFileSync(join(ROOT, file), 'utf8');
    if (!source.startsWith(SHEBANG))
      throw new Error(`${basename(file)} of ${command} must begin with ${SHEBANG}`);
    chmodSync(join(ROOT, file), 0o755);
  }
}

rmSync(DIST, { recursive: true, force: true });
runToolOrFail('tsc', ['-p', 'tsconfig.build.json']);
copyData();
copyConsole();
writeManifest();
checkCommands();
console.log(`built in ${DIST}`);
