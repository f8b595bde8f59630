// Makes a process yield to those beside it: its threads get little of a busy processor (nice 10 against 0 is
// about a tenth), and the kernel takes it first when memory runs out. Source: sched(7), proc_pid_oom_score_adj(5).

import { readdir, writeFile } from 'node:fs/promises';
import { setPriority } from 'node:os';

const NICENESS = 10;
/** -1000 to 1000; above that of the slots' processes. */
const OOM_SCORE_ADJUSTMENT = '900';

/** Threads that begin later take over the niceness of the one that begins them. Throws what the system refuses. */
export async function giveWay(pid: number): Promise<void> {
  if (process.platform !== 'linux') {
    setPriority(pid, NICENESS);
    return;
  }
  // On Linux niceness is a thread's own.
  for (const threadId of await readdir(`/proc/${pid}/task`)) {
    try {
      setPriority(Number(threadId), NICENESS);
    } catch (error) {
      if (!hasEnded(error)) throw error;
    }
  }
  await writeFile(`/proc/${pid}/oom_score_adj`, OOM_SCORE_ADJUSTMENT);
}

/** `error` is node's ERR_SYSTEM_ERROR, whose `info` has the code of the system call. */
function hasEnded(error: unknown): boolean {
  return (error as { readonly info?: { readonly code?: unknown } }).info?.code === 'ESRCH';
}
