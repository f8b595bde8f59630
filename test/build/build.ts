// Builds dist/, which is what the npm package ships: Node strips no types under node_modules, so dist/ holds
// JavaScript, the data files beside it, the built console, and a package.json that maps the subpath imports
// (`#protocol/x.ts`) to the built files.

import { chmodSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildConsole } from './build-console.ts';
import { runToolOrFail } from './run-tool.ts';
import { HOUSES, ROOT } from './tree.ts';

const DIST = join(ROOT, 'dist');
const SHEBANG = '#!/usr/bin/env node\n';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
}

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
function writeManifest({ name, version }: Manifest): void {
  const imports = Object.fromEntries(
    HOUSES.flatMap((house) => [
      [`#${house}/*.ts`, `./${house}/*.js`],
      [`#${house}/*`, `./${house}/*`],
    ]),
  );
  const manifest = { name, version, private: true, type: 'module', imports };
  writeFileSync(join(DIST, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Every command must be a file that a shell can start. */
function checkCommands({ bin }: Manifest): void {
  for (const [command, file] of Object.entries(bin)) {
    const path = join(ROOT, file);
    if (!readFileSync(path, 'utf8').startsWith(SHEBANG))
      throw new Error(`${command}: ${file} must begin with ${SHEBANG}`);
    chmodSync(path, 0o755);
  }
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
rmSync(DIST, { recursive: true, force: true });
runToolOrFail('tsc', ['-p', 'tsconfig.build.json']);
copyData();
copyConsole();
writeManifest(manifest);
checkCommands(manifest);
console.log(`built in ${DIST}`);
