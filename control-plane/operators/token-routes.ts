// REST operations on API tokens. Admins see and change all that allow no more than they may themselves; everybody sees
// and revokes the own: the token that asks, and those that it or the person made.

import { z } from 'zod';
import { isWithin, mayActSomewhere } from '#protocol/access.ts';
import { HoldfastError } from '#protocol/errors.ts';
import {
  apiTokenSchema,
  createTokenSchema,
  newApiTokenSchema,
  rotateTokenSchema,
  tokenIdSchema,
  type ApiToken,
} from '#protocol/operators.ts';
import { requiredActor, type Actor } from '../http/auth.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import type { ApiTokens } from './tokens.ts';

const tag = 'tokens';
const params = z.strictObject({ id: tokenIdSchema });

export function tokenRoutes(tokens: ApiTokens): ApiRouter {
  const router = apiRouter();
  route(
    router,
    {
      method: 'get', path: '/tokens', tag, access: 'viewer', scope: 'handler',
      summary: 'API tokens by name: an admin sees all, everybody else the own',
      response: z.strictObject({ items: z.array(apiTokenSchema) }),
    },
    async ({ response }) => {
      const actor = requiredActor(response);
      return { items: (await tokens.list()).filter((token) => keeps(actor, token)) };
    },
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/tokens', tag, access: 'admin', scope: 'handler', status: 201,
      summary: 'Makes an API token that may no more than who makes it; it is shown this once',
      body: createTokenSchema,
      response: newApiTokenSchema,
      errors: ['conflict'],
    },
    ({ body, response }) => tokens.create(body, requiredActor(response)),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/tokens/:id/rotate', tag, access: 'viewer', scope: 'handler',
      summary: 'A new text for a token; the old one is void at once',
      params, body: rotateTokenSchema,
      response: newApiTokenSchema,
      errors: ['not-found', 'conflict'],
    },
    async ({ params: { id }, body, response }) => {
      const actor = requiredActor(response);
      await kept(tokens, id, actor);
      return await tokens.rotate(id, body.ttlMs, actor);
    },
  ); // prettier-ignore
  route(
    router,
    {
      method: 'delete', path: '/tokens/:id', tag, access: 'viewer', scope: 'handler',
      summary: 'Voids a token at once, with its sessions',
      params,
      errors: ['not-found', 'conflict'],
    },
    async ({ params: { id }, response }) => {
      const actor = requiredActor(response);
      await kept(tokens, id, actor);
      await tokens.revoke(id, actor);
    },
  ); // prettier-ignore
  return router;
}

/** Errors: `not-found`, also for tokens of others, so that nobody learns which there are. */
async function kept(tokens: ApiTokens, id: string, actor: Actor): Promise<void> {
  const token = await tokens.get(id);
  if (keeps(actor, token)) return;
  throw new HoldfastError('not-found', `there is no token ${id}`, { hint: 'list them to see their ids' });
}

function keeps(actor: Actor, token: ApiToken): boolean {
  if (token.id === actor.tokenId || token.createdBy === actor.label) return true;
  return mayActSomewhere(actor.grants, 'admin') && isWithin(token.grants, actor.grants);
}
