// Signing in and out of the console with an API token.

import { z } from 'zod';
import type { RateLimitRequestHandler } from 'express-rate-limit';
import { HoldfastError } from '#protocol/errors.ts';
import { timestampMsSchema } from '#protocol/identifiers.ts';
import type { ApiTokens } from './api-tokens.ts';
import { countFailure, wrongToken } from './authenticate.ts';
import { actorOf } from './auth.ts';
import { apiRouter, route, type ApiRouter } from './route.ts';
import { isCrossSite } from './same-origin.ts';
import { SESSION_COOKIE, SESSION_TTL_MS, sessionIdOf, type Sessions } from './sessions.ts';

const TAG = 'session';
const COOKIE = { httpOnly: true, sameSite: 'strict', path: '/' } as const;

export interface SessionDeps {
  readonly tokens: ApiTokens;
  readonly sessions: Sessions;
  readonly failureLimit: RateLimitRequestHandler;
}

export function sessionRoutes({ tokens, sessions, failureLimit }: SessionDeps): ApiRouter {
  const router = apiRouter();

  route(
    router,
    {
      method: 'post',
      path: '/session',
      tag: TAG,
      summary: 'Sign the console in: sets a cookie that lasts 12 hours',
      access: 'public',
      body: z.strictObject({ token: z.string().min(1).max(200) }),
      response: z.strictObject({ name: z.string(), expiresAtMs: timestampMsSchema }),
      status: 201,
      errors: ['unauthorized', 'forbidden', 'rate-limited'],
    },
    async ({ body, request, response }) => {
      if (isCrossSite(request)) {
        throw new HoldfastError('forbidden', 'another site may not sign in here', {
          hint: 'open the console itself',
        });
      }
      const token = await tokens.find(body.token);
      if (token === null) {
        await countFailure(failureLimit, request, response);
        throw wrongToken();
      }
      const { id, expiresAtMs } = await sessions.begin(token);
      response.cookie(SESSION_COOKIE, id, { ...COOKIE, secure: request.secure, maxAge: SESSION_TTL_MS });
      return { name: token.name, expiresAtMs };
    },
  );

  route(
    router,
    {
      method: 'get',
      path: '/session',
      tag: TAG,
      summary: 'Who the credentials of this request belong to',
      response: z.strictObject({ actor: z.string(), via: z.enum(['bearer', 'session']) }),
    },
    ({ actor, response }) => ({ actor, via: actorOf(response)?.via ?? 'bearer' }),
  );

  route(
    router,
    { method: 'delete', path: '/session', tag: TAG, summary: 'Sign the console out', access: 'public' },
    async ({ request, response }) => {
      const id = sessionIdOf(request.headers.cookie);
      if (id !== null) await sessions.end(id);
      response.clearCookie(SESSION_COOKIE, COOKIE);
    },
  );

  return router;
}
