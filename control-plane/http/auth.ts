// Who makes a request. The authentication middleware puts the actor on the response; routes read it.

import type { RequestHandler, Response } from 'express';
import { HoldfastError } from '#protocol/errors.ts';

/** `public` needs no credentials; `operator` an API token or a session made with one. */
export type Access = 'public' | 'operator';

export interface Actor {
  /** As written in the audit log: `token:<name>`. */
  readonly label: string;
  readonly tokenId: string;
  readonly via: 'bearer' | 'session';
}

export const ANONYMOUS = 'anonymous';

export function setActor(response: Response, actor: Actor): void {
  response.locals['actor'] = actor;
}

export function actorOf(response: Response): Actor | null {
  return (response.locals['actor'] as Actor | undefined) ?? null;
}

/** Lets the request through, or answers `unauthorized`. */
export function requireAccess(access: Access): RequestHandler {
  return (_request, response, next) => {
    if (access === 'public' || actorOf(response) !== null) return next();
    throw new HoldfastError('unauthorized', 'this request needs credentials', {
      hint: 'send `Authorization: Bearer <API token>`; the first token lies in <data folder>/admin-token',
    });
  };
}
