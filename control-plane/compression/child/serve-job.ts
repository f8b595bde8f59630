// The child's side of a job: takes one job from the parent, runs it and reports. The caller decides what
// happens when the parent goes away.

import { HoldfastError } from '#protocol/errors.ts';
import type { JobMessage, JobProgress } from './job-messages.ts';

export type ReportProgress = (progress: JobProgress) => void;

/** Waits for the parent's job, runs `handler` and sends its result, or what it threw. */
export async function serveJob(
  handler: (job: unknown, progress: ReportProgress) => Promise<unknown>,
): Promise<void> {
  const job = await new Promise<unknown>((resolve) => {
    process.once('message', (message) => resolve((message as { job: unknown }).job));
  });
  try {
    const result = await handler(job, (progress) => void send({ kind: 'progress', ...progress }));
    await send({ kind: 'done', result });
  } catch (error) {
    await send(failureOf(error));
  }
}

function failureOf(error: unknown): JobMessage {
  if (error instanceof HoldfastError) {
    const { code, message, hint } = error;
    return {
      kind: 'failed',
      code,
      message: message.slice(0, 10_000),
      ...(hint === undefined ? {} : { hint }),
    };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { kind: 'failed', code: 'internal', message: message.slice(0, 10_000) };
}

function send(message: JobMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, (error: Error | null) => (error === null ? resolve() : reject(error)));
  });
}
