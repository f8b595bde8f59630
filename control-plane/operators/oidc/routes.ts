// Signing in at the OpenID provider: two addresses that a browser visits. What goes wrong is said on the login page,
// by a code in the fragment of its address; the log has the rest.

import { z } from 'zod';
import type { Request, Response } from 'express';
import { errorCodeOf, HoldfastError } from '#protocol/errors.ts';
import type { LoginFailure } from '#protocol/operators.ts';
import { API_BASE } from '../../http/openapi.ts';
import { apiRouter, route, type ApiRouter } from '../../http/route.ts';
import { ownOrigin } from '../../http/same-origin.ts';
import { clearCookie, cookieOf, LOGIN_COOKIE, SESSION_COOKIE, setCookie } from '../../http/session-cookie.ts';
import type { Logger } from '../../logger.ts';
import type { Audit } from '../../store/audit.ts';
import { SESSION_TTL_MS, type Sessions } from '../sessions.ts';
import { grantsOf, labelOf, type IdentityRules } from './identity.ts';
import { LOGIN_TTL_MS, safeReturnPath, type Logins } from './logins.ts';
import { newLoginSecrets, type OidcProvider } from './provider.ts';

const tag = 'session';
const CALLBACK = '/oidc/callback';

export interface OidcDeps {
  readonly provider: OidcProvider;
  readonly logins: Logins;
  readonly sessions: Sessions;
  readonly rules: IdentityRules;
  readonly audit: Audit;
  readonly log: Logger;
}

/** Without a provider both addresses answer `not-found`. */
export function oidcRoutes(deps: OidcDeps | null): ApiRouter {
  const router = apiRouter();
  route(
    router,
    {
      method: 'get', path: '/oidc/login', tag, access: 'public', status: 303,
      summary: 'Sends the browser to the OpenID provider to sign in',
      query: z.strictObject({ returnTo: z.string().max(2_000).optional() }),
      errors: ['not-found'],
    },
    ({ query, request, response }) => begin(present(deps), request, response, query.returnTo),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: CALLBACK, tag, access: 'public', status: 303,
      summary: 'Where the OpenID provider sends the browser back to',
      errors: ['not-found'],
    },
    ({ request, response }) => finish(present(deps), request, response),
  ); // prettier-ignore
  return router;
}

function present(deps: OidcDeps | null): OidcDeps {
  if (deps !== null) return deps;
  throw new HoldfastError('not-found', 'no OpenID provider is set', {
    hint: 'sign in with an API token, or set HOLDFAST_OIDC_ISSUER',
  });
}

async function begin(
  { provider, logins, log }: OidcDeps,
  request: Request,
  response: Response,
  returnTo: string | undefined,
): Promise<void> {
  const secrets = newLoginSecrets();
  try {
    const url = await provider.loginUrl(secrets, ownOrigin(request) + API_BASE + CALLBACK);
    const browser = await logins.begin(secrets, safeReturnPath(returnTo));
    setCookie(response, LOGIN_COOKIE, browser, LOGIN_TTL_MS);
    response.redirect(303, url.href);
  } catch (error) {
    log.warn('a login could not begin', { error });
    toLoginPage(response, 'unavailable');
  }
}

async function finish(deps: OidcDeps, request: Request, response: Response): Promise<void> {
  const { provider, logins, sessions, rules, audit, log } = deps;
  const callback = new URL(request.originalUrl, ownOrigin(request));
  const browser = cookieOf(request, LOGIN_COOKIE);
  const login =
    browser === null ? null : await logins.finish(callback.searchParams.get('state') ?? '', browser);
  clearCookie(response, LOGIN_COOKIE);
  if (login === null) return toLoginPage(response, 'expired');
  if (callback.searchParams.has('error')) {
    log.info('the provider refused a login', { error: callback.searchParams.get('error') });
    return toLoginPage(response, 'refused');
  }
  try {
    const identity = await provider.identityOf(callback, login);
    const actor = labelOf(identity);
    if (grantsOf(rules, identity).length === 0) {
      log.warn('somebody without a role signed in', { actor });
      return toLoginPage(response, 'no-access');
    }
    const before = cookieOf(request, SESSION_COOKIE);
    if (before !== null) await sessions.end(before);
    const { value } = await sessions.begin({ identity });
    const { issuer, subject } = identity;
    await audit.record({ actor, action: 'session.begin', subject: actor, detail: { issuer, subject } });
    setCookie(response, SESSION_COOKIE, value, SESSION_TTL_MS);
    response.redirect(303, login.returnTo);
  } catch (error) {
    log.warn('a login was refused', { error });
    toLoginPage(response, errorCodeOf(error) === 'unavailable' ? 'unavailable' : 'invalid');
  }
}

function toLoginPage(response: Response, failure: LoginFailure): void {
  response.redirect(303, `/#login=${failure}`);
}
