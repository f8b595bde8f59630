// This machine as a stand-in for devices: for which profiles its latencies and memory count.

import { readFile } from 'node:fs/promises';
import { arch } from 'node:process';
import type { DeviceProfile } from '#protocol/profile.ts';

export interface Machine {
  readonly architecture: string;
  /** Whether it multiplies 8-bit numbers in one instruction; null where nobody can tell. */
  readonly vnni: boolean | null;
}

export async function readMachine(): Promise<Machine> {
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => null);
  return { architecture: arch, vnni: text === null ? null : /\b(avx512_vnni|avx_vnni)\b/.test(text) };
}

/** Whether what takes long here takes long on devices of the profile too. */
export function standsIn(machine: Machine, profile: DeviceProfile): boolean {
  return (
    profile.executionProviders[0] === 'cpu' &&
    (profile.architecture === 'any' || profile.architecture === machine.architecture) &&
    (profile.vnni === undefined || profile.vnni === machine.vnni)
  );
}
