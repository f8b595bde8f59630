// The cookies of the console. Behind TLS they carry the prefix `__Host-`, so that no other host and no plain HTTP can
// set them, and only those count. Source: RFC 6265bis, section 4.1.3.

import type { CookieOptions, Request, Response } from 'express';

export const SESSION_COOKIE = 'holdfast-session';
/** Binds a login at the provider to the browser that began it; comes back from another site, hence Lax. */
export const LOGIN_COOKIE = 'holdfast-login';

const SAME_SITE = { [SESSION_COOKIE]: 'strict', [LOGIN_COOKIE]: 'lax' } as const;
type CookieName = keyof typeof SAME_SITE;

export function setCookie(response: Response, name: CookieName, value: string, maxAgeMs: number): void {
  response.cookie(fullName(response.req, name), value, { ...options(response.req, name), maxAge: maxAgeMs });
}

export function clearCookie(response: Response, name: CookieName): void {
  response.clearCookie(fullName(response.req, name), options(response.req, name));
}

/** Null without one. */
export function cookieOf(request: Request, name: CookieName): string | null {
  const wanted = fullName(request, name);
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === wanted) return pair.slice(at + 1).trim();
  }
  return null;
}

function fullName(request: Request, name: CookieName): string {
  return request.secure ? `__Host-${name}` : name;
}

function options(request: Request, name: CookieName): CookieOptions {
  return { httpOnly: true, sameSite: SAME_SITE[name], path: '/', secure: request.secure };
}
