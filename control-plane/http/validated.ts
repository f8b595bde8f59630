// Checks what came from outside against a zod schema, and says in one sentence what does not fit.

import type { z } from 'zod';
import { HoldfastError, type ErrorCode } from '#protocol/errors.ts';

const SHOWN_ISSUES = 5;

/** Parses `value`; `what` names it in the error, which has `code`. */
export function validated<S extends z.ZodType>(
  schema: S,
  value: unknown,
  what: string,
  code: ErrorCode = 'bad-request',
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new HoldfastError(code, `${what}: ${describeIssues(result.error)}`, {
    hint: 'the request and its fields are described in /api/v1/openapi.json',
  });
}

function describeIssues(error: z.ZodError): string {
  const shown = error.issues.slice(0, SHOWN_ISSUES).map((issue) => {
    const path = issue.path.map(String).join('.');
    return path === '' ? issue.message : `${path}: ${issue.message}`;
  });
  const more = error.issues.length - shown.length;
  return `${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
