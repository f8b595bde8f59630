// A thread that outlives a blocked main thread: standard input is the supervisor's lifeline, and when it
// closes, this process ends at once, even in the middle of a native run that never comes back.

import { Socket } from 'node:net';

const lifeline = new Socket({ fd: 0, readable: true, writable: false });
lifeline.on('error', end);
lifeline.on('close', end);
lifeline.resume();

function end(): void {
  process.kill(process.pid, 'SIGKILL');
}
