// The live event stream and the audit log.

import { z } from 'zod';
import type { LiveEvent } from '#protocol/api.ts';
import { counterSchema, sha256Schema, timestampMsSchema } from '#protocol/identifiers.ts';
import type { Audit } from '../store/audit.ts';
import { requiredActor } from './auth.ts';
import type { EventStreams } from './event-streams.ts';
import { integerParameter, limitParameter } from './parameters.ts';
import type { Permission } from './permission.ts';
import { apiRouter, route, type ApiRouter } from './route.ts';
import { validated } from './validated.ts';

const idParameter = integerParameter({ min: 0, max: Number.MAX_SAFE_INTEGER });
const DEFAULT_PAGE = 100;

const auditRecordSchema = z.strictObject({
  id: counterSchema,
  atMs: timestampMsSchema,
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  detail: z.record(z.string(), z.unknown()),
  entrySha256: sha256Schema,
});

export interface EventRoutesDeps {
  readonly streams: EventStreams;
  readonly audit: Audit;
  /** Whether somebody whose grants are narrowed may see an event. */
  readonly maySee: (permission: Permission, event: LiveEvent) => Promise<boolean>;
}

export function eventRoutes(deps: EventRoutesDeps): ApiRouter {
  const router = apiRouter();

  route(
    router,
    {
      method: 'get',
      path: '/events',
      tag: 'events',
      summary: 'Live events (server-sent); goes on after the Last-Event-ID header, or `after`, without a gap',
      access: 'viewer',
      scope: 'handler',
      query: z.strictObject({ after: idParameter.optional() }),
      responseStream: 'text/event-stream',
      errors: ['unavailable', 'rate-limited'],
    },
    async ({ query, permission, request, response }) => {
      const header = request.headers['last-event-id'];
      const lastEventId =
        header === undefined || header === '' ? query.after : validated(idParameter, header, 'Last-Event-ID');
      const { key, isStillValid } = requiredActor(response);
      const seesAll = permission.may('viewer');
      const maySee = seesAll ? () => true : (event: LiveEvent) => deps.maySee(permission, event);
      await deps.streams.serve(response, lastEventId ?? null, { key, maySee, isStillValid });
    },
  );

  route(
    router,
    {
      method: 'get',
      path: '/audit',
      access: 'viewer',
      tag: 'audit',
      summary: 'Who changed what, newest first; `before` pages back',
      query: z.strictObject({ before: idParameter.optional(), limit: limitParameter.optional() }),
      response: z.strictObject({ items: z.array(auditRecordSchema) }),
    },
    async ({ query }) => {
      const records = await deps.audit.before(
        query.before ?? Number.MAX_SAFE_INTEGER,
        query.limit ?? DEFAULT_PAGE,
      );
      return { items: records.map((record) => ({ ...record, detail: { ...record.detail } })) };
    },
  );

  route(
    router,
    {
      method: 'get',
      path: '/audit/check',
      access: 'viewer',
      tag: 'audit',
      summary: 'Walks the whole hash chain of the audit log',
      response: z.strictObject({
        ok: z.boolean(),
        entries: counterSchema,
        headSha256: sha256Schema.optional(),
        brokenId: counterSchema.optional(),
      }),
    },
    () => deps.audit.verify(),
  );

  return router;
}
