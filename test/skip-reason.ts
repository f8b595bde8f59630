// Parts of the machine that some tests need. A test whose part is missing is skipped, with the reason in one
// line; with HOLDFAST_NO_SKIP set (as in CI) a missing part is an error, so that nothing is skipped unseen.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const CHROMIUM_NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/** Path of a Chromium: HOLDFAST_CHROMIUM, or the first found on PATH; undefined where there is none. */
export function chromiumPath(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env['HOLDFAST_CHROMIUM'] ?? findOnPath(CHROMIUM_NAMES, env);
}

/** Path of a Mosquitto 2: HOLDFAST_MOSQUITTO, or the first found on PATH or among the system's servers. */
export function mosquittoPath(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const path = [env['PATH'] ?? '', '/usr/sbin', '/usr/local/sbin'].join(delimiter);
  return env['HOLDFAST_MOSQUITTO'] ?? findOnPath(['mosquitto'], { PATH: path });
}

/**
 * Whether tests that need `part` must be skipped: for `describe.skipIf` and `test.skipIf`. Says why in one
 * line; throws instead where HOLDFAST_NO_SKIP is set.
 */
export function skipWithout(
  part: string,
  found: string | undefined,
  howToGetIt: string,
  env: NodeJS.ProcessEnv = process.env,
): boolean {
  if (found !== undefined) return false;
  const reason = `${part} is missing: ${howToGetIt}`;
  if (env['HOLDFAST_NO_SKIP']) throw new Error(`${reason} (HOLDFAST_NO_SKIP forbids skipping)`);
  console.warn(`skipped: ${reason}`);
  return true;
}

function findOnPath(names: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
