// Refuses requests for names this server does not have. It keeps out DNS rebinding: a page of another site
// whose name resolves to this address. An address written as numbers cannot be rebound, so it passes. A request that
// names its host twice, or in its target, could be read differently by a proxy before us: it is refused.

import { isIP } from 'node:net';
import type { Request, RequestHandler } from 'express';
import { HoldfastError } from '#protocol/errors.ts';

/** `names` are host names without a port; localhost always passes. */
export function hostCheck(names: readonly string[]): RequestHandler {
  const known = new Set(['localhost', ...names.map((name) => name.toLowerCase())]);
  return (request, _response, next) => {
    assertOneHost(request);
    // What a trusted proxy was asked for, else the Host header.
    const name = hostName(request.host);
    if (name !== null && (known.has(name) || isIP(name) !== 0)) return next();
    throw new HoldfastError('forbidden', `this server does not answer for the host ${name ?? '(none)'}`, {
      hint: 'use 127.0.0.1, or name the host in HOLDFAST_PUBLIC_HOST',
    });
  };
}

function assertOneHost(request: Request): void {
  const hosts = request.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  if (hosts.length <= 1 && /^(?:\/|\*$)/.test(request.url)) return;
  throw new HoldfastError('bad-request', 'the request names its host more than once', {
    hint: 'send one Host header, and a target that begins with a slash',
  });
}

/** The name in a Host header: lower case, without port, brackets and root dot; null when it has none. */
function hostName(header: string | undefined): string | null {
  const match = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::\d{1,5})?$/i.exec(
    header ?? '',
  );
  return (match?.groups?.['v6'] ?? match?.groups?.['name'])?.toLowerCase() ?? null;
}
