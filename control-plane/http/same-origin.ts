// A browser's cookie goes along with requests that other sites cause. Requests that change something and
// are carried by a session must come from our own pages (OWASP: Fetch Metadata, Origin check).

import type { Request } from 'express';
import { HoldfastError } from '#protocol/errors.ts';

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Throws `forbidden` unless the request is safe, or a header that scripts cannot set says it is ours. */
export function assertSameOrigin(request: Request): void {
  if (SAFE_METHODS.has(request.method)) return;
  const site = request.headers['sec-fetch-site'];
  const origin = request.headers.origin;
  if (site === 'same-origin' || (site === undefined && isOwn(origin, request))) return;
  throw new HoldfastError('forbidden', 'a session may change things only from the console itself', {
    hint: 'programs send `Authorization: Bearer <API token>` in place of the cookie',
  });
}

/** True for a request that a page of another site makes. */
export function isCrossSite(request: Request): boolean {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const origin = request.headers.origin;
  return origin !== undefined && !isOwn(origin, request);
}

function isOwn(origin: string | undefined, request: Request): boolean {
  return origin !== undefined && origin === ownOrigin(request);
}

/** What a browser calls this server: scheme, host name and port. A proxy is believed only where it is trusted. */
export function ownOrigin(request: Request): string {
  const asked = `${request.protocol}://${request.host}`;
  return URL.canParse(asked) ? new URL(asked).origin : asked;
}
