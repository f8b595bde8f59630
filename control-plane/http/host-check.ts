// Refuses requests for names this server does not have. It keeps out DNS rebinding: a page of another site
// whose name resolves to this address. An address written as numbers cannot be rebound, so it passes.

import { isIP } from 'node:net';
import type { RequestHandler } from 'express';
import { HoldfastError } from '#protocol/errors.ts';

/** `names` are host names without a port; localhost always passes. */
export function hostCheck(names: readonly string[]): RequestHandler {
  const known = new Set(['localhost', ...names.map((name) => name.toLowerCase())]);
  return (request, _response, next) => {
    const name = hostName(request.headers.host);
    if (name !== null && (known.has(name) || isIP(name) !== 0)) return next();
    throw new HoldfastError('forbidden', `this server does not answer for the host ${name ?? '(none)'}`, {
      hint: 'use 127.0.0.1, or name the host in HOLDFAST_PUBLIC_HOST',
    });
  };
}

/** The name in a Host header: lower case, without port and brackets; null when it has none. */
function hostName(header: string | undefined): string | null {
  const match = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<name>[a-z0-9._-]+))(?::\d{1,5})?$/i.exec(header ?? '');
  return (match?.groups?.['v6'] ?? match?.groups?.['name'])?.toLowerCase() ?? null;
}
