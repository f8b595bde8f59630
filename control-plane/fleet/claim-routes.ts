// REST operations on claims.

import { z } from 'zod';
import {
  claimSchema,
  claimStateSchema,
  claimSummarySchema,
  createClaimSchema,
  createClaimsSchema,
} from '#protocol/claims.ts';
import { limitParameter } from '../http/parameters.ts';
import { route, type ApiRouter } from '../http/route.ts';
import type { ClaimDesk } from './claim-desk.ts';

const tag = 'devices';
const DEFAULT_LIMIT = 200;

export function claimOperations(router: ApiRouter, claims: ClaimDesk): void {
  route(
    router,
    {
      method: 'post', path: '/claims', tag, access: 'operator',
      scope: ({ body }) => ({ labels: body.labels }),
      summary: 'Make a claim for a device, or for several; its token is shown this once',
      body: createClaimSchema,
      status: 201,
      response: claimSchema,
      errors: ['conflict', 'profile-unknown'],
    },
    async ({ body, actor, permission }) => {
      // Taking the place of a device needs a say over that device too.
      if (body.replace) await permission.requireOn('operator', { deviceId: body.deviceId });
      return await claims.create(body, actor);
    },
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/claims/batch', tag, access: 'operator',
      scope: ({ body }) => ({ labels: body.labels }),
      summary: 'Make one-time claims for a factory, all or none; their tokens are shown this once',
      body: createClaimsSchema,
      status: 201,
      response: z.strictObject({ items: z.array(claimSchema) }),
      errors: ['conflict', 'profile-unknown'],
    },
    async ({ body, actor }) => ({ items: await claims.createBatch(body, actor) }),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/claims', tag, access: 'viewer',
      summary: 'Claims, newest first, without their tokens',
      query: z.strictObject({ state: claimStateSchema.optional(), limit: limitParameter.optional() }),
      response: z.strictObject({ items: z.array(claimSummarySchema) }),
    },
    async ({ query }) => ({
      items: await claims.list({ state: query.state, limit: query.limit ?? DEFAULT_LIMIT }),
    }),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/claims/:id/withdraw', tag, access: 'operator',
      summary: 'Let a claim admit no further device; those it admitted stay',
      params: z.strictObject({ id: z.string().regex(/^[a-z0-9]{8,32}$/, 'must be the id of a claim') }),
      response: claimSummarySchema,
      errors: ['not-found'],
    },
    ({ params, actor }) => claims.withdraw(params.id, actor),
  ); // prettier-ignore
}
