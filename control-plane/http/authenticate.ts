// Finds out who makes a request: a bearer API token, else the console's session. Wrong credentials are
// refused even on public routes; no credentials are for the route to judge. Failures are counted by
// address, and only failures are held back, so that nobody can lock the operators out.

import type { Request, RequestHandler, Response } from 'express';
import { rateLimit, type RateLimitRequestHandler } from 'express-rate-limit';
import { HoldfastError } from '#protocol/errors.ts';
import { tokenKey, type Sessions } from '../operators/sessions.ts';
import type { ApiTokens } from '../operators/tokens.ts';
import { setActor } from './auth.ts';
import { setScopeSource, type ScopeSource } from './permission.ts';
import { assertSameOrigin } from './same-origin.ts';
import { cookieOf, SESSION_COOKIE } from './session-cookie.ts';

const WINDOW_MS = 60_000;
const MAX_FAILURES = 20;

/** Passes control on until an address failed too often within a minute; then it throws `rate-limited`. */
export function createFailureLimit(maxFailures: number = MAX_FAILURES): RateLimitRequestHandler {
  return rateLimit({
    windowMs: WINDOW_MS,
    limit: maxFailures,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    // Who forwards for whom is settled by the app's own list of trusted proxies.
    validate: { xForwardedForHeader: false },
    handler: (_request, _response, next) => {
      next(
        new HoldfastError('rate-limited', 'too many wrong credentials from this address', {
          hint: 'wait a minute, then use a valid token',
        }),
      );
    },
  });
}

export interface AuthenticateDeps {
  readonly tokens: ApiTokens;
  readonly sessions: Sessions;
  readonly failureLimit: RateLimitRequestHandler;
  readonly scopes: ScopeSource;
}

export function authenticate({ tokens, sessions, failureLimit, scopes }: AuthenticateDeps): RequestHandler {
  return async (request, response, next) => {
    setScopeSource(response, scopes);
    const header = request.headers.authorization;
    if (header !== undefined) {
      const bearer = /^Bearer +(\S+)$/i.exec(header)?.[1];
      const token = bearer === undefined ? null : await tokens.find(bearer);
      if (bearer === undefined || token === null) {
        await countFailure(failureLimit, request, response);
        throw wrongToken();
      }
      setActor(response, {
        label: `token:${token.name}`,
        key: tokenKey(token.id),
        via: 'bearer',
        grants: token.grants,
        tokenId: token.id,
        sessionId: null,
        expiresAtMs: token.expiresAtMs,
        isStillValid: () => tokens.isGood(bearer),
      });
      return next();
    }
    const value = cookieOf(request, SESSION_COOKIE);
    const session = value === null ? null : await sessions.find(value);
    if (session !== null) {
      assertSameOrigin(request);
      setActor(response, {
        label: session.label,
        key: session.ownerKey,
        via: 'session',
        grants: session.grants,
        tokenId: session.tokenId,
        sessionId: session.id,
        expiresAtMs: session.tokenExpiresAtMs,
        isStillValid: () => sessions.isGood(session.id),
      });
    }
    next();
  };
}

/** Resolves while the address may fail again; throws `rate-limited` once it failed too often. */
export function countFailure(
  failureLimit: RateLimitRequestHandler,
  request: Request,
  response: Response,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const next = (error?: unknown): void => {
      if (error === undefined) resolve();
      else reject(error instanceof Error ? error : wrongToken());
    };
    Promise.resolve(failureLimit(request, response, next)).catch(reject);
  });
}

export function wrongToken(): HoldfastError {
  return new HoldfastError('unauthorized', 'the API token is not valid', {
    hint: 'the first token lies in <data folder>/admin-token; send it as `Authorization: Bearer <token>`',
  });
}
