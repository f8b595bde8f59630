// Failed requests of the local API answer problem+json (RFC 9457). What is not a HoldfastError tells the
// client nothing but that it failed; the log has the rest.

import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler } from 'express';
import type { Problem } from '#protocol/api.ts';
import { ERROR_STATUS, HoldfastError } from '#protocol/errors.ts';
import type { Logger } from '../ports/logger.ts';

export function problemHandler(logger: Logger): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  return (thrown: unknown, request, response, _next) => {
    const error = toHoldfastError(thrown);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const status = ERROR_STATUS[error.code];
    if (error.code === 'internal') logger.error('request failed', { path: request.path, error: thrown });
    const problem: Problem = {
      type: `urn:holdfast:error:${error.code}`,
      title: STATUS_CODES[status] ?? 'Error',
      status,
      code: error.code,
      detail: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      instance: request.path,
    };
    if (status === 503) response.setHeader('Retry-After', '1');
    // What is left of an unread body must not be taken for the next request.
    if (!request.complete) response.setHeader('Connection', 'close');
    response.status(status).type('application/problem+json').send(JSON.stringify(problem));
  };
}

function toHoldfastError(thrown: unknown): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  const { type, status } = thrown as { type?: unknown; status?: unknown };
  if (type === 'entity.too.large') return new HoldfastError('body-too-large', 'the body is too large');
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new HoldfastError('bad-request', 'the request cannot be read', { cause: thrown });
  }
  return new HoldfastError('internal', 'the agent failed at this request', { cause: thrown });
}
