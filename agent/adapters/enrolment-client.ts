// The two requests of enrolment. What the server says of itself is believed only after its CA has the key
// that the claim names; the claim's secret travels only over TLS pinned to that CA.

import { createHash, X509Certificate } from 'node:crypto';
import { request, type Dispatcher } from 'undici';
import type { z } from 'zod';
import { enrolmentInfoSchema, enrolResponseSchema, problemSchema } from '#protocol/api.ts';
import type { EnrolmentInfo, EnrolResponse } from '#protocol/api.ts';
import { ERROR_STATUS, HoldfastError, type ErrorCode } from '#protocol/errors.ts';
import { pinnedHttpsAgent } from './pinned-https.ts';

const MAX_ANSWER_BYTES = 1024 ** 2;
const TIMEOUT_MS = 15_000;

/** GET {server}/api/v1/enrolment. Throws `ca-mismatch` when the CA is not the one that the claim names. */
export async function fetchEnrolmentInfo(
  server: string,
  caSpkiSha256: string,
  signal: AbortSignal,
): Promise<EnrolmentInfo> {
  const base = server.endsWith('/') ? server : `${server}/`;
  const url = new URL('api/v1/enrolment', base).href;
  const info = await answerOf(url, enrolmentInfoSchema, { method: 'GET', signal });
  const found = spkiSha256Of(info.caPem);
  if (found === caSpkiSha256) return info;
  throw new HoldfastError('ca-mismatch', `the authority at ${server} is not the one the claim was made by`, {
    hint: 'check --server; if it is right, somebody stands between this device and it',
  });
}

/** POST {gatewayUrl}/enrol over TLS pinned to the CA. Throws what the gateway refuses with. */
export async function postEnrolment(
  info: Pick<EnrolmentInfo, 'caPem' | 'gatewayUrl'>,
  body: { readonly claim: string; readonly csrPem: string; readonly profile: string },
  signal: AbortSignal,
): Promise<EnrolResponse> {
  const dispatcher = pinnedHttpsAgent(() => ({ caPem: info.caPem }));
  try {
    const answer = await answerOf(`${info.gatewayUrl}/enrol`, enrolResponseSchema, {
      method: 'POST',
      signal,
      dispatcher,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (spkiSha256Of(answer.caPem) !== spkiSha256Of(info.caPem)) {
      throw new HoldfastError('ca-mismatch', 'the gateway answered with another authority than it has');
    }
    return answer;
  } finally {
    await dispatcher.destroy();
  }
}

interface Asked {
  readonly method: 'GET' | 'POST';
  readonly signal: AbortSignal;
  readonly dispatcher?: Dispatcher;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

async function answerOf<S extends z.ZodType>(url: string, schema: S, asked: Asked): Promise<z.output<S>> {
  const signal = AbortSignal.any([asked.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const { statusCode, body } = await request(url, { ...asked, signal });
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

function spkiSha256Of(pem: string): string {
  try {
    const spki = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
    return createHash('sha256').update(spki).digest('hex');
  } catch (cause) {
    throw new HoldfastError('ca-mismatch', 'the authority that was answered cannot be read', { cause });
  }
}
