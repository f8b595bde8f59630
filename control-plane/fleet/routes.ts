// Devices, what people decide about them, and the facts a device needs before it enrols, over HTTP.

import { z } from 'zod';
import { deviceSchema, enrolmentInfoSchema } from '#protocol/api.ts';
import { deviceStateSchema, type DeviceAction } from '#protocol/device-state.ts';
import { deviceIdSchema } from '#protocol/identifiers.ts';
import type { Access } from '../http/auth.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import { authorityOperations } from './authority-routes.ts';
import { claimOperations } from './claim-routes.ts';
import type { Fleet } from './service.ts';

const tag = 'devices';
const idParams = z.strictObject({ id: deviceIdSchema });
/** Written to the audit log and shown beside the device. */
const decisionSchema = z.strictObject({ reason: z.string().trim().min(1).max(500) });

const DECISIONS: Readonly<Record<DeviceAction, { access: Access; summary: string }>> = {
  approve: { access: 'operator', summary: 'Let a device in that waits for approval' },
  refuse: { access: 'operator', summary: 'Turn away a device that waits for approval; its key never enrols' },
  quarantine: {
    access: 'operator',
    summary: 'No orders and no measurements; it goes on serving and reporting',
  },
  release: { access: 'operator', summary: 'End a quarantine' },
  revoke: {
    access: 'admin',
    summary: 'Put a device out at once and for good: certificates, key, connection',
  },
  decommission: {
    access: 'admin',
    summary: 'As revoke, and forget what it was ordered; its id may be given anew',
  },
};

export function fleetRoutes({ fleet }: { readonly fleet: Fleet }): ApiRouter {
  const router = apiRouter();
  route(
    router,
    {
      method: 'get', path: '/enrolment', tag,
      summary: 'Where devices enrol and connect, and the authority to check against the claim',
      access: 'public',
      response: enrolmentInfoSchema,
    },
    () => fleet.enrolmentInfo(),
  ); // prettier-ignore
  claimOperations(router, fleet.claims);
  deviceOperations(router, fleet);
  authorityOperations(router, fleet.authority);
  return router;
}

function deviceOperations(router: ApiRouter, fleet: Fleet): void {
  route(
    router,
    {
      method: 'get', path: '/devices', tag, access: 'viewer', scope: 'handler',
      summary: 'All devices by id, with what they should run and what they say they run; decommissioned ones when asked for',
      query: z.strictObject({ state: deviceStateSchema.optional() }),
      response: z.strictObject({ items: z.array(deviceSchema) }),
    },
    async ({ query, permission }) => ({
      items: (await fleet.listDevices(query.state)).filter(({ labels }) => permission.may('viewer', { labels })),
    }),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/devices/:id', tag, access: 'viewer',
      summary: 'One device',
      params: idParams,
      scope: ({ params }) => ({ deviceId: params.id }),
      response: deviceSchema,
      errors: ['not-found'],
    },
    ({ params }) => fleet.getDevice(params.id),
  ); // prettier-ignore
  for (const [action, { access, summary }] of Object.entries(DECISIONS) as [
    DeviceAction,
    (typeof DECISIONS)[DeviceAction],
  ][]) {
    route(
      router,
      {
        method: 'post', path: `/devices/:id/${action}`, tag, access, summary,
        params: idParams,
        scope: ({ params }) => ({ deviceId: params.id }),
        body: decisionSchema,
        response: deviceSchema,
        errors: ['not-found', 'conflict'],
      },
      ({ params, body, actor }) => fleet.decide(params.id, { action, reason: body.reason, actor }),
    ); // prettier-ignore
  }
}
