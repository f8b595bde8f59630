// The checkout as the build and check scripts see it.

import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Root folder of the checkout, with a trailing slash. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Top-level folders of TypeScript that ship. */
export const HOUSES = ['protocol', 'agent', 'control-plane'] as const;

/** Whether a folder, relative to `root`, exists and holds a TypeScript file at any depth. */
export function hasTypeScript(folder: string, root: string = ROOT): boolean {
  const path = `${root}/${folder}`;
  return (
    existsSync(path) &&
    readdirSync(path, { recursive: true, encoding: 'utf8' }).some((name) => /(?<!\.d)\.tsx?$/.test(name))
  );
}
