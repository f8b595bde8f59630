// How many requests a client gets in a minute: apart for reading, writing, uploads and signing in, and apart for each
// token or person, so that nobody uses up what another needs. Before anybody is known, and where nobody signs in, the
// address is counted; it has room for several callers, who may share one.

import type { Request, RequestHandler, Response } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { HoldfastError } from '#protocol/errors.ts';
import { actorOf } from './auth.ts';

/** Requests a minute, of one caller. */
export interface RateBudgets {
  readonly reads: number;
  readonly writes: number;
  readonly uploads: number;
  /** Of one address, since nobody is known yet. */
  readonly logins: number;
}

export const DEFAULT_BUDGETS: RateBudgets = { reads: 3_000, writes: 600, uploads: 1_200, logins: 60 };

const WINDOW_MS = 60_000;
const CALLERS_BEHIND_ADDRESS = 8;

/** Goes before authentication. Throws `rate-limited`. */
export function addressBudget({ reads, writes, uploads }: RateBudgets): RequestHandler {
  return budget('address', (reads + writes + uploads) * CALLERS_BEHIND_ADDRESS, addressOf);
}

/** Goes after authentication. Throws `rate-limited`. */
export function callerBudgets(budgets: RateBudgets): RequestHandler {
  const caller = (request: Request, response: Response): string =>
    actorOf(response)?.key ?? addressOf(request);
  const handlers = {
    reads: budget('reads', budgets.reads, caller),
    writes: budget('writes', budgets.writes, caller),
    uploads: budget('uploads', budgets.uploads, caller),
    logins: budget('logins', budgets.logins, addressOf),
  };
  return (request, response, next) => handlers[kindOf(request)](request, response, next);
}

function kindOf(request: Request): keyof RateBudgets {
  const { method, path } = request;
  if (path.startsWith('/oidc/') || (path === '/session' && method === 'POST')) return 'logins';
  if (method === 'GET' || method === 'HEAD') return 'reads';
  // `is` answers null when there is no body.
  return request.is('application/json') === false ? 'uploads' : 'writes';
}

function addressOf(request: Request): string {
  return `address:${ipKeyGenerator(request.ip ?? '')}`;
}

function budget(
  name: string,
  limit: number,
  keyGenerator: (request: Request, response: Response) => string,
): RequestHandler {
  return rateLimit({
    windowMs: WINDOW_MS,
    limit,
    identifier: name,
    keyGenerator,
    standardHeaders: false,
    legacyHeaders: false,
    // Who forwards for whom is settled by the app's own list of trusted proxies.
    validate: { xForwardedForHeader: false },
    handler: (_request, response, next) => {
      response.setHeader('Retry-After', WINDOW_MS / 1_000);
      next(
        new HoldfastError('rate-limited', `more than ${limit} requests in a minute (${name})`, {
          hint: 'wait as long as Retry-After says; HOLDFAST_RATE_* sets the budgets',
        }),
      );
    },
  });
}
