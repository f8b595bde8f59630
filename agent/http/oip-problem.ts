// Errors of the Open Inference Protocol routes: RFC 9457 problem+json that also has the protocol's own
// member `error`. Nothing of the request's content is told or logged.

import { STATUS_CODES } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { ERROR_STATUS, errorCodeOf, HoldfastError, type ErrorCode } from '#protocol/errors.ts';
import { OverloadedError } from '../supervisor/serving/overloaded-error.ts';

const MAX_DETAIL_CHARS = 1_000;

/** Express error middleware; `log` gets what is the agent's own fault. */
export function oipProblems(log: (error: unknown) => void) {
  return (error: unknown, request: Request, response: Response, next: NextFunction): void => {
    if (response.headersSent) return next(error);
    const code = errorCodeOf(error);
    const status = ERROR_STATUS[code];
    if (code === 'internal') log(error);
    if (error instanceof OverloadedError)
      response.setHeader('Retry-After', Math.ceil(error.retryAfterMs / 1_000));
    // What is left of an unread body is not waited for.
    if (!request.complete) response.setHeader('Connection', 'close');
    response
      .status(status)
      .type('application/problem+json')
      .send(JSON.stringify(problemOf(error, code, status)));
  };
}

function problemOf(error: unknown, code: ErrorCode, status: number): Record<string, unknown> {
  const known = error instanceof HoldfastError;
  const detail = (known ? error.message : 'the agent failed to answer').slice(0, MAX_DETAIL_CHARS);
  return {
    type: `urn:holdfast:error:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code,
    detail,
    ...(known && error.hint !== undefined ? { hint: error.hint } : {}),
    ...(error instanceof OverloadedError ? { retryAfterMs: error.retryAfterMs } : {}),
    error: detail,
  };
}
