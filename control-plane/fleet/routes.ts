// Devices, claims and the facts a device needs before it enrols, over HTTP.

import { z } from 'zod';
import { claimSchema, createClaimSchema, deviceSchema, enrolmentInfoSchema } from '#protocol/api.ts';
import { deviceIdSchema } from '#protocol/identifiers.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import type { Fleet } from './service.ts';

export function fleetRoutes({ fleet }: { readonly fleet: Fleet }): ApiRouter {
  const router = apiRouter();

  route(
    router,
    {
      method: 'get',
      path: '/enrolment',
      tag: 'devices',
      summary: 'Where devices enrol and connect, and the authority to check against the claim',
      access: 'public',
      response: enrolmentInfoSchema,
    },
    () => fleet.enrolmentInfo(),
  );

  route(
    router,
    {
      method: 'post',
      path: '/claims',
      tag: 'devices',
      summary: 'Make a one-time claim for a device; its token is shown this once',
      body: createClaimSchema,
      status: 201,
      response: claimSchema,
      errors: ['conflict', 'profile-unknown'],
    },
    ({ body, actor }) => fleet.createClaim(body, actor),
  );

  route(
    router,
    {
      method: 'get',
      path: '/devices',
      tag: 'devices',
      summary: 'All devices by id, with what they should run and what they say they run',
      response: z.strictObject({ items: z.array(deviceSchema) }),
    },
    async () => ({ items: await fleet.listDevices() }),
  );

  route(
    router,
    {
      method: 'get',
      path: '/devices/:id',
      tag: 'devices',
      summary: 'One device',
      params: z.strictObject({ id: deviceIdSchema }),
      response: deviceSchema,
      errors: ['not-found'],
    },
    ({ params }) => fleet.getDevice(params.id),
  );

  return router;
}
