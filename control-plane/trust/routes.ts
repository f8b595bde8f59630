// REST operations on who signs what: status, metadata, changes, and the signatures of people.

import { z } from 'zod';
import {
  repositorySchema,
  roleNameSchema,
  stagedRoleSchema,
  trustChangeSchema,
  trustOutcomeSchema,
  trustSignatureSchema,
  trustStatusSchema,
} from '#protocol/trust.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import type { TrustService } from './trust-service.ts';

const tag = 'trust';
const repositoryParams = z.object({ repository: repositorySchema });
const roleParams = repositoryParams.extend({ role: roleNameSchema });
const metadataSchema = z.record(z.string(), z.json());

export function trustRoutes(trust: TrustService): ApiRouter {
  const router = apiRouter();
  route(
    router,
    {
      method: 'get', path: '/trust', tag, access: 'viewer',
      summary: 'Who signs what, what waits for signatures, and what a person should do',
      response: trustStatusSchema,
    },
    () => trust.status(),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/trust/:repository/:role', tag, access: 'viewer',
      summary: 'TUF metadata of a role as it is published',
      params: roleParams,
      response: metadataSchema,
      errors: ['not-found'],
    },
    ({ params }) => trust.metadata(params.repository, params.role),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/trust/:repository/:role/staged', tag, access: 'viewer',
      summary: 'Metadata of a role that waits for signatures',
      params: roleParams,
      response: stagedRoleSchema,
      errors: ['not-found'],
    },
    ({ params }) => trust.staged(params.repository, params.role),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/trust/:repository/changes', tag, access: 'admin',
      summary: 'Changes who may sign what; what offline keys must sign is staged',
      params: repositoryParams,
      body: trustChangeSchema,
      response: trustOutcomeSchema,
      errors: ['conflict', 'not-found', 'key-invalid', 'disk-full'],
    },
    ({ params, body, actor }) => trust.change(params.repository, body, actor),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/trust/:repository/:role/signatures', tag, access: 'releaser',
      summary: 'Adds a signature to what waits; with enough of them it is published',
      params: roleParams,
      body: trustSignatureSchema,
      response: trustOutcomeSchema,
      errors: ['not-found', 'signature-invalid', 'conflict', 'disk-full'],
    },
    ({ params, body, actor }) => trust.addSignature(params.repository, params.role, body, actor),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'delete', path: '/trust/:repository/:role/staged', tag, access: 'admin',
      summary: 'Withdraws what waits for signatures',
      params: roleParams,
      errors: ['not-found'],
    },
    ({ params, actor }) => trust.withdrawStaged(params.repository, params.role, actor),
  ); // prettier-ignore
  return router;
}
