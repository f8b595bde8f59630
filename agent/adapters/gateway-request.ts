// One JSON request to the control plane: bounded in time and bytes, the answer checked, a refusal thrown with the
// control plane's own code.

import { request, type Dispatcher } from 'undici';
import type { z } from 'zod';
import { problemSchema } from '#protocol/api.ts';
import { ERROR_STATUS, HoldfastError, type ErrorCode } from '#protocol/errors.ts';

const MAX_ANSWER_BYTES = 1024 ** 2;
const TIMEOUT_MS = 15_000;

export interface Asked {
  readonly method: 'GET' | 'POST';
  readonly signal: AbortSignal;
  readonly dispatcher?: Dispatcher;
  /** Sent as JSON. */
  readonly body?: unknown;
}

/** Errors: those of the control plane; `unavailable`; `bad-config` for what is no control plane's answer. */
export async function answerOf<S extends z.ZodType>(
  url: string,
  schema: S,
  { body: sent, ...asked }: Asked,
): Promise<z.output<S>> {
  const signal = AbortSignal.any([asked.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const content =
    sent === undefined ? {} : { body: JSON.stringify(sent), headers: { 'content-type': 'application/json' } };
  const { statusCode, body } = await request(url, { ...asked, ...content, signal });
  let text = '';
  for await (const chunk of body) {
    text += String(chunk);
    if (text.length > MAX_ANSWER_BYTES) throw unreadable(url, `over ${MAX_ANSWER_BYTES} bytes`);
  }
  const json = parsedJson(text);
  if (statusCode !== 200) throw refusalOf(url, statusCode, json);
  const answer = schema.safeParse(json);
  if (answer.success) return answer.data;
  throw unreadable(url, answer.error.issues[0]?.message ?? 'not what was asked for', answer.error);
}

function refusalOf(url: string, statusCode: number, json: unknown): HoldfastError {
  const problem = problemSchema.safeParse(json);
  if (!problem.success || !Object.hasOwn(ERROR_STATUS, problem.data.code)) {
    return statusCode >= 500
      ? new HoldfastError('unavailable', `${url} answered ${statusCode}`)
      : unreadable(url, `status ${statusCode}`);
  }
  const { code, detail, hint } = problem.data;
  return new HoldfastError(code as ErrorCode, detail, hint === undefined ? {} : { hint });
}

function unreadable(url: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('bad-config', `${url} does not answer like a control plane: ${what}`, {
    hint: 'check --server',
    ...(cause === undefined ? {} : { cause }),
  });
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // answered like what it is: no JSON of ours
  }
}
