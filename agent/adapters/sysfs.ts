// What Linux tells of heat under /sys: counters and states that change when the machine is throttled, and
// the hottest thermal zone. Machines without them (most virtual ones) tell nothing.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const ROOT = '/sys';
/** Cooling that takes speed away; a fan does not. */
const SLOWING = /processor|cpu|gpu|devfreq/i;

/** Files whose content changes with every throttle change. `root` is /sys unless told. */
export async function findThrottleFiles(root: string = ROOT): Promise<string[]> {
  const cpus = await namesIn(join(root, 'devices/system/cpu'), /^cpu\d+$/);
  const counters = cpus.flatMap((cpu) =>
    ['core_throttle_count', 'package_throttle_count'].map((file) =>
      join(root, 'devices/system/cpu', cpu, 'thermal_throttle', file),
    ),
  );
  const present: string[] = [];
  for (const path of counters) if ((await readOr(path, '')) !== '') present.push(path);
  for (const device of await namesIn(join(root, 'class/thermal'), /^cooling_device\d+$/)) {
    const folder = join(root, 'class/thermal', device);
    if (SLOWING.test(await readOr(join(folder, 'type'), ''))) present.push(join(folder, 'cur_state'));
  }
  return present;
}

/** Temperature of the hottest zone in degrees Celsius; null where there is none. */
export async function hottestC(root: string = ROOT): Promise<number | null> {
  const zones = await namesIn(join(root, 'class/thermal'), /^thermal_zone\d+$/);
  const texts = await Promise.all(zones.map((zone) => readOr(join(root, 'class/thermal', zone, 'temp'), '')));
  const celsius = texts
    .filter((text) => /^-?\d+$/.test(text))
    .map((text) => Number(text) / 1_000)
    .filter((value) => value > -100 && value < 300);
  return celsius.length === 0 ? null : Math.max(...celsius);
}

/** Contents of all files as one text, to be compared with the last one. */
export async function readTogether(paths: readonly string[]): Promise<string> {
  return (await Promise.all(paths.map((path) => readOr(path, '')))).join(' ');
}

async function namesIn(folder: string, pattern: RegExp): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => pattern.test(name));
}

async function readOr(path: string, otherwise: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(() => otherwise)).trim();
}
