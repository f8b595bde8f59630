// The console's calls: same origin, session cookie, answers checked against the protocol's schemas.

import { z } from 'zod';
import { problemSchema } from '#protocol/api.ts';

/** Told to the window when the server knows this session no more. */
export const SIGNED_OUT = 'holdfast-signed-out';

export class ApiProblem extends Error {
  readonly status: number;
  readonly hint: string | undefined;

  constructor(status: number, detail: string, hint?: string) {
    super(detail);
    this.status = status;
    this.hint = hint;
  }
}

export async function call<T>(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  answer: z.ZodType<T>,
  body?: unknown,
): Promise<T> {
  const response = await fetch(`/api/v1${path}`, {
    method,
    credentials: 'same-origin',
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  }).catch(() => {
    throw new ApiProblem(0, 'The control plane does not answer', 'it is tried again by itself');
  });
  const value: unknown = response.status === 204 ? null : await response.json().catch(() => null);
  if (response.ok) return answer.parse(value);
  if (response.status === 401) window.dispatchEvent(new Event(SIGNED_OUT));
  const problem = problemSchema.safeParse(value);
  throw problem.success
    ? new ApiProblem(response.status, problem.data.detail, problem.data.hint)
    : new ApiProblem(response.status, `The control plane answered ${response.status}`);
}

export function get<T>(path: string, answer: z.ZodType<T>): Promise<T> {
  return call('GET', path, answer);
}

export async function list<T>(path: string, item: z.ZodType<T>): Promise<T[]> {
  return (await get(path, z.object({ items: z.array(item) }))).items;
}

export async function openSession(token: string): Promise<void> {
  await call('POST', '/session', z.unknown(), { token });
}

export async function closeSession(): Promise<void> {
  await call('DELETE', '/session', z.unknown());
}
