// Every failed request answers problem+json (RFC 9457): a stable code, what was wrong, how to mend it.
// Invariant: what is not a HoldfastError tells the client nothing but its request id; the log has the rest.

import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import type { Problem } from '#protocol/api.ts';
import { ERROR_STATUS, HoldfastError, type ErrorCode } from '#protocol/errors.ts';
import type { Logger } from '../logger.ts';

const LINGER_MS = 2_000;
const TYPE_BASE = 'urn:holdfast:error:';
/** Codes by the `type` of body-parser's errors. */
const BODY_ERRORS: Readonly<Record<string, ErrorCode>> = {
  'entity.too.large': 'body-too-large',
  'entity.parse.failed': 'bad-request',
  'entity.verify.failed': 'bad-request',
  'encoding.unsupported': 'media-type-unsupported',
  'charset.unsupported': 'media-type-unsupported',
  'request.aborted': 'bad-request',
  'request.size.invalid': 'bad-request',
};

export function sendProblem(request: Request, response: Response, error: HoldfastError): void {
  const status = ERROR_STATUS[error.code];
  const problem: Problem = {
    type: `${TYPE_BASE}${error.code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code: error.code,
    detail: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    instance: request.originalUrl.split('?', 1)[0] ?? '/',
  };
  if (status === 401) response.setHeader('WWW-Authenticate', 'Bearer realm="holdfast"');
  response.status(status).type('application/problem+json').send(JSON.stringify(problem));
}

/** The last middleware: whatever was thrown becomes an answer. */
export function problemHandler(log: Logger): ErrorRequestHandler {
  // Express knows an error handler by its four parameters.
  return (thrown: unknown, request, response, _next) => {
    const error = toHoldfastError(thrown);
    const socket = response.socket;
    if (response.headersSent || socket === null || socket.destroyed) {
      log.debug('request broken off', { path: request.path, error: thrown });
      response.destroy();
      return;
    }
    if (ERROR_STATUS[error.code] >= 500) {
      log.error('request failed', { method: request.method, path: request.path, error: thrown });
    }
    sendProblem(request, response, error);
    // An upload that goes on is read past for a moment: closing at once could take the answer along.
    if (request.complete) return;
    request.resume();
    setTimeout(() => request.complete || socket.destroy(), LINGER_MS).unref();
  };
}

export const notFound: RequestHandler = (request) => {
  throw new HoldfastError('not-found', `nothing lies at ${request.baseUrl}${request.path}`, {
    hint: 'the operations are listed in /api/v1/openapi.json',
  });
};

function toHoldfastError(thrown: unknown): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  const { type, status } = thrown as { type?: unknown; status?: unknown };
  const bodyCode = typeof type === 'string' ? BODY_ERRORS[type] : undefined;
  if (bodyCode !== undefined) {
    return new HoldfastError(bodyCode, `the body cannot be read: ${(thrown as Error).message}`, {
      hint: 'send one JSON object, encoded as UTF-8',
      cause: thrown,
    });
  }
  if (status === 400)
    return new HoldfastError('bad-request', 'the address cannot be decoded', { cause: thrown });
  return new HoldfastError('internal', 'the control plane failed at this request', {
    hint: 'its log says why; if it happens again, report it with the log',
    cause: thrown,
  });
}
