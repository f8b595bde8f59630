// How many threads a session may use: siblings of one core share its arithmetic units, so only whole
// cores count. Source: Linux sysfs, cpuN/topology/core_cpus_list.

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

const MAX_INTRA_OP_THREADS = 4;

/** Whole cores this process may use; where the system does not tell, every logical processor counts as one. */
export function countPhysicalCores(sysfsCpu = '/sys/devices/system/cpu'): number {
  const logical = availableParallelism();
  const siblings = new Set<string>();
  for (let index = 0; index < cpus().length; index++) {
    try {
      siblings.add(readFileSync(`${sysfsCpu}/cpu${index}/topology/core_cpus_list`, 'utf8').trim());
    } catch {
      return logical; // not Linux, or topology hidden by the container
    }
  }
  return Math.max(1, Math.min(logical, siblings.size));
}

/** min(physical - 1, 4), at least 1: one core stays for the supervisor. */
export function intraOpThreads(physicalCores: number): number {
  return Math.max(1, Math.min(physicalCores - 1, MAX_INTRA_OP_THREADS));
}
