// Watches the resident memory of a child process, native allocations included, and calls back once when it is
// over a limit. Reads /proc, so it watches on Linux only; elsewhere the heap limit of the child remains.

import { readFile } from 'node:fs/promises';

const INTERVAL_MS = 200;

/** Starts watching; dispose to stop. */
export function watchMemory(
  processId: number,
  limitBytes: number,
  onExceeded: (bytes: number) => void,
): Disposable {
  const check = async () => {
    const bytes = await residentBytes(processId);
    if (bytes === null || bytes <= limitBytes) return;
    clearInterval(timer);
    onExceeded(bytes);
  };
  const timer = setInterval(() => void check(), INTERVAL_MS);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Resident set size, or null where it cannot be read (another system, or the process is gone). */
async function residentBytes(processId: number): Promise<number | null> {
  const status = await readFile(`/proc/${processId}/status`, 'utf8').catch(() => '');
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}
