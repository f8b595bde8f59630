// The killable inference process of one slot (DESIGN.md section 6). It speaks frames on file descriptor 3,
// a Unix socket to the supervisor, and ends when that closes; the runtime loads only after its telemetry is
// switched off. Signals to the whole group are left to the supervisor, so that it can drain.

process.env['ORT_DISABLE_TELEMETRY'] = '1';

import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { encodeFrame, FrameReader, type Tensors } from './frames.ts';
import { failureOf, type WorkerAnswer, type WorkerRequest } from './worker-messages.ts';

const FRAMES_FD = 3;
const READ_BYTES = 256 * 1024;
/** The kernel takes workers before the supervisor when memory runs out. Range -1000 to 1000. */
const OOM_SCORE_ADJUSTMENT = '500';

const { CallHandler } = await import('./call-handler.ts');
const { restrictSharp } = await import('./image-input.ts');

function offerToOomKiller(): void {
  if (process.platform !== 'linux') return;
  try {
    writeFileSync('/proc/self/oom_score_adj', OOM_SCORE_ADJUSTMENT);
  } catch (error) {
    process.stderr.write(`cannot set oom_score_adj: ${String(error)}\n`);
  }
}

function serve(): void {
  const handler = new CallHandler();
  // What is read lands in one buffer that stays, and is copied into its frame.
  const onread = {
    buffer: Buffer.alloc(READ_BYTES),
    callback: (sizeBytes: number, buffer: Uint8Array): boolean => {
      reader.push(Buffer.from(buffer.buffer, buffer.byteOffset, sizeBytes));
      return true;
    },
  };
  const socket = new Socket({ fd: FRAMES_FD, onread });
  const send = (answer: WorkerAnswer, tensors?: Tensors): void => {
    socket.cork();
    for (const part of encodeFrame(answer, tensors)) socket.write(part);
    socket.uncork();
  };
  const reader = new FrameReader((frame) => {
    const { id, ...call } = frame.message as WorkerRequest;
    handler
      .handle(call, frame.tensors)
      .then(({ result, tensors }) => send({ kind: 'done', id, result }, tensors))
      .catch((error: unknown) => send({ kind: 'failed', id, failure: failureOf(error) }))
      .finally(() => frame.free());
  });
  socket.on('error', (error) => process.stderr.write(`supervisor socket: ${error.message}\n`));
  socket.on('close', () => process.exit(0));
  send({ kind: 'ready' });
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
offerToOomKiller();
restrictSharp();
new Worker(new URL(import.meta.resolve('#agent/worker/orphan-guard.ts'))).unref();
serve();
