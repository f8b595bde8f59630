// Who makes a request. The authentication middleware puts the actor on the response; routes read it.

import type { RequestHandler, Response } from 'express';
import { mayAct, mayActSomewhere, type AccessRole, type Grant } from '#protocol/access.ts';
import { HoldfastError } from '#protocol/errors.ts';

/** `public` needs no credentials; else the least role that may. */
export type Access = 'public' | AccessRole;

export interface Actor {
  /** As written in the audit log: `token:<name>` or `oidc:<email>`. */
  readonly label: string;
  /** One for all requests of a token or of a person, by which they are counted. */
  readonly key: string;
  readonly via: 'bearer' | 'session';
  readonly grants: readonly Grant[];
  /** Null for a person who signed in at the provider. */
  readonly tokenId: string | null;
  /** Null for a request with a token. */
  readonly sessionId: string | null;
  /** Null when the credentials do not expire. */
  readonly expiresAtMs: number | null;
  /** Asked again for as long as a stream is open. */
  readonly isStillValid: () => Promise<boolean>;
}

export const ANONYMOUS = 'anonymous';

export function setActor(response: Response, actor: Actor): void {
  response.locals['actor'] = actor;
}

export function actorOf(response: Response): Actor | null {
  return (response.locals['actor'] as Actor | undefined) ?? null;
}

/** Errors: `unauthorized` on routes that are public, and wherever nobody was let in. */
export function requiredActor(response: Response): Actor {
  const actor = actorOf(response);
  if (actor === null) throw unauthorized();
  return actor;
}

/**
 * Lets the request through, or answers `unauthorized` or `forbidden`. Where a scope is to be checked once the request
 * was read, a grant is enough for now that has the role on anything.
 */
export function requireAccess(access: Access, isScoped: boolean): RequestHandler {
  return (_request, response, next) => {
    if (access === 'public') return next();
    const { grants } = requiredActor(response);
    if (isScoped ? mayActSomewhere(grants, access) : mayAct(grants, access)) return next();
    throw mayActSomewhere(grants, access) ? tooNarrow(access) : roleMissing(access);
  };
}

function unauthorized(): HoldfastError {
  return new HoldfastError('unauthorized', 'this request needs credentials', {
    hint: 'send `Authorization: Bearer <API token>`; the first token lies in <data folder>/admin-token',
  });
}

function roleMissing(role: AccessRole): HoldfastError {
  return new HoldfastError('forbidden', `this needs the role ${role}`, {
    hint: 'ask an admin for a token with it; GET /api/v1/session says what yours may',
  });
}

function tooNarrow(role: AccessRole): HoldfastError {
  return new HoldfastError('forbidden', `this needs the role ${role} on everything, not only on a part`, {
    hint: 'GET /api/v1/session says what your grants are narrowed to',
  });
}
