// Telemetry over HTTP.

import { z } from 'zod';
import { telemetrySeriesSchema } from '#protocol/api.ts';
import { deviceIdSchema, modelNameSchema } from '#protocol/identifiers.ts';
import { integerParameter, versionParameter } from '../http/parameters.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import type { Telemetry } from './service.ts';

const querySchema = z.strictObject({
  deviceId: deviceIdSchema.optional(),
  model: modelNameSchema.optional(),
  version: versionParameter.optional(),
  sinceMs: integerParameter({ min: 0, max: 8_640_000_000_000_000 }).optional(),
});

export function telemetryRoutes({ telemetry }: { readonly telemetry: Telemetry }): ApiRouter {
  const router = apiRouter();
  route(
    router,
    {
      method: 'get',
      path: '/telemetry',
      tag: 'telemetry',
      access: 'viewer',
      scope: 'handler',
      summary: 'Requests, errors, accuracy and latency per device and version, added up over windows',
      query: querySchema,
      response: z.strictObject({ items: z.array(telemetrySeriesSchema) }),
    },
    async ({ query, permission }) => {
      const items = await telemetry.query(query);
      if (permission.may('viewer')) return { items };
      const mayOn = await Promise.all(
        items.map(({ deviceId, model }) => permission.mayOn('viewer', { deviceId, model })),
      );
      return { items: items.filter((_, index) => mayOn[index] === true) };
    },
  );
  return router;
}
