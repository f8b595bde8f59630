// Signing in and out of the console, who is asking, and the asker's own sessions.

import { z } from 'zod';
import type { RateLimitRequestHandler } from 'express-rate-limit';
import { HoldfastError } from '#protocol/errors.ts';
import { timestampMsSchema } from '#protocol/identifiers.ts';
import { sessionIdSchema, sessionSchema, waysToSignInSchema, whoAmISchema } from '#protocol/operators.ts';
import { countFailure, wrongToken } from '../http/authenticate.ts';
import { requiredActor } from '../http/auth.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import { isCrossSite } from '../http/same-origin.ts';
import { clearCookie, cookieOf, SESSION_COOKIE, setCookie } from '../http/session-cookie.ts';
import { SESSION_TTL_MS, type Sessions } from './sessions.ts';
import type { ApiTokens } from './tokens.ts';

const tag = 'session';

export interface SessionDeps {
  readonly tokens: ApiTokens;
  readonly sessions: Sessions;
  readonly failureLimit: RateLimitRequestHandler;
  /** What people call the OpenID provider; null without one. */
  readonly providerName: string | null;
}

export function sessionRoutes(deps: SessionDeps): ApiRouter {
  const router = apiRouter();
  signingInAndOut(router, deps);
  ownSessions(router, deps);
  return router;
}

function signingInAndOut(router: ApiRouter, deps: SessionDeps): void {
  const { tokens, sessions, failureLimit, providerName } = deps;
  route(
    router,
    {
      method: 'get', path: '/login', tag, access: 'public',
      summary: 'The ways to sign the console in',
      response: waysToSignInSchema,
    },
    () => ({ oidc: providerName === null ? null : { name: providerName } }),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/session', tag, access: 'public', status: 201,
      summary: 'Sign the console in with a token: sets a cookie that lasts 12 hours, or 2 without use',
      body: z.strictObject({ token: z.string().min(1).max(200) }),
      response: z.strictObject({ name: z.string(), expiresAtMs: timestampMsSchema }),
      errors: ['unauthorized', 'token-expired', 'forbidden', 'rate-limited'],
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
      // The session of before ends: nobody goes on in one that somebody else began.
      const before = cookieOf(request, SESSION_COOKIE);
      if (before !== null) await sessions.end(before);
      const { value, expiresAtMs } = await sessions.begin({
        tokenId: token.id,
        expiresAtMs: token.expiresAtMs,
      });
      setCookie(response, SESSION_COOKIE, value, SESSION_TTL_MS);
      return { name: token.name, expiresAtMs };
    },
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/session', tag, access: 'viewer', scope: 'handler',
      summary: 'Who the credentials of this request belong to, and what they allow',
      response: whoAmISchema,
    },
    ({ actor, response }) => {
      const { via, grants } = requiredActor(response);
      return { actor, via, grants: [...grants] };
    },
  ); // prettier-ignore
  route(
    router,
    { method: 'delete', path: '/session', tag, summary: 'Sign the console out', access: 'public' },
    async ({ request, response }) => {
      const value = cookieOf(request, SESSION_COOKIE);
      if (value !== null) await sessions.end(value);
      clearCookie(response, SESSION_COOKIE);
    },
  );
}

function ownSessions(router: ApiRouter, { sessions }: SessionDeps): void {
  route(
    router,
    {
      method: 'get', path: '/sessions', tag, access: 'viewer', scope: 'handler',
      summary: 'The console sessions of whoever asks, newest first',
      response: z.strictObject({ items: z.array(sessionSchema) }),
    },
    async ({ response }) => {
      const { key, sessionId } = requiredActor(response);
      return { items: await sessions.list(key, sessionId) };
    },
  ); // prettier-ignore
  route(
    router,
    {
      method: 'delete', path: '/sessions/:id', tag, access: 'viewer', scope: 'handler',
      summary: 'Ends a session of whoever asks',
      params: z.strictObject({ id: sessionIdSchema }),
      errors: ['not-found'],
    },
    async ({ params, response }) => {
      if (await sessions.endById(params.id, requiredActor(response).key)) return;
      throw new HoldfastError('not-found', 'you have no such session', { hint: 'list yours: GET /api/v1/sessions' });
    },
  ); // prettier-ignore
}
