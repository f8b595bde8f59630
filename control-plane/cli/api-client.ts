// The REST API as typed calls over fetch. Every answer is checked against the protocol's schema; every
// failure is a HoldfastError with the server's own code, what was wrong and how to mend it.

import { z } from 'zod';
import { problemSchema } from '#protocol/api.ts';
import { ERROR_STATUS, HoldfastError, type ErrorCode } from '#protocol/errors.ts';

const MAX_ANSWER_BYTES = 64 * 1024 ** 2;

export interface ApiClientOptions {
  /** Base address of the control plane, e.g. http://127.0.0.1:8080. */
  readonly server: string;
  readonly token: string;
  readonly signal?: AbortSignal;
  /** Longest a single call may take. */
  readonly timeoutMs?: number;
}

export interface ApiCall<T> {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it stands, in place of a body. */
  readonly file?: Blob;
  /** May take as long as it takes. */
  readonly unlimited?: true;
  readonly answer: z.ZodType<T>;
}

export class ApiClient {
  readonly #options: ApiClientOptions;

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  get<T>(path: string, answer: z.ZodType<T>): Promise<T> {
    return this.#call('GET', path, { answer });
  }

  async list<T>(path: string, item: z.ZodType<T>): Promise<T[]> {
    const { items } = await this.get(path, z.object({ items: z.array(item) }));
    return items;
  }

  post<T>(path: string, call: ApiCall<T>): Promise<T> {
    return this.#call('POST', path, call);
  }

  /** Of operations that answer nothing. */
  async delete(path: string): Promise<void> {
    await this.#call('DELETE', path, { answer: z.null() });
  }

  /** Uploads a blob under its digest; does nothing when the server has it. */
  async putBlob(sha256: string, bytes: Uint8Array<ArrayBuffer> | Blob): Promise<void> {
    const path = `/blobs/${sha256}`;
    const there = await this.#fetch('HEAD', path, {});
    if (there.ok) return;
    const answer = await this.#fetch('PUT', path, {
      body: bytes,
      headers: { 'content-type': 'application/octet-stream' },
      unlimited: true,
    });
    if (!answer.ok) throw await problemOf(answer);
    await answer.body?.cancel();
  }

  async #call<T>(method: string, path: string, call: ApiCall<T>): Promise<T> {
    const { body, file, unlimited = false } = call;
    const type = file === undefined ? 'application/json' : 'application/octet-stream';
    const content = file ?? (body === undefined ? undefined : JSON.stringify(body));
    const answer = await this.#fetch(method, path, {
      ...(content === undefined ? {} : { body: content, headers: { 'content-type': type } }),
      unlimited,
    });
    if (!answer.ok) throw await problemOf(answer);
    const parsed = call.answer.safeParse(await jsonOf(answer));
    if (!parsed.success) {
      throw new HoldfastError(
        'internal',
        `the server's answer to ${method} ${path} has an unknown form: ${z.prettifyError(parsed.error)}`,
        {
          hint: 'use a command line of the same release as the server',
        },
      );
    }
    return parsed.data;
  }

  async #fetch(
    method: string,
    path: string,
    init: {
      body?: string | Uint8Array<ArrayBuffer> | Blob;
      headers?: Record<string, string>;
      unlimited?: boolean;
    },
  ): Promise<Response> {
    const { server, token, signal, timeoutMs = 120_000 } = this.#options;
    const signals = [signal, init.unlimited === true ? undefined : AbortSignal.timeout(timeoutMs)];
    try {
      return await fetch(new URL(`/api/v1${path}`, server), {
        method,
        redirect: 'error',
        headers: { authorization: `Bearer ${token}`, accept: 'application/json', ...init.headers },
        signal: AbortSignal.any(signals.filter((one) => one !== undefined)),
        ...(init.body === undefined ? {} : { body: init.body }),
      });
    } catch (cause) {
      if (signal?.aborted === true)
        throw new HoldfastError('cancelled', 'stopped before the server answered', { cause });
      throw new HoldfastError('unavailable', `no answer from ${server}`, {
        hint: 'check the address and that the control plane is running',
        cause,
      });
    }
  }
}

async function jsonOf(answer: Response): Promise<unknown> {
  const length = Number(answer.headers.get('content-length') ?? 0);
  if (length > MAX_ANSWER_BYTES)
    throw new HoldfastError('internal', `an answer of ${length} bytes is too large`);
  return answer.status === 204 ? null : await answer.json();
}

async function problemOf(answer: Response): Promise<HoldfastError> {
  const text = await answer.text();
  const parsed = problemSchema.safeParse(tryJson(text));
  if (!parsed.success)
    return new HoldfastError('unavailable', `the server answered ${answer.status} without a reason`);
  const { code, detail, hint } = parsed.data;
  const known: ErrorCode = Object.hasOwn(ERROR_STATUS, code) ? (code as ErrorCode) : 'internal';
  return new HoldfastError(known, detail, hint === undefined ? {} : { hint });
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
