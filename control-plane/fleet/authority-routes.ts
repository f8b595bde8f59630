// REST operations on the authority that certifies devices.

import { z } from 'zod';
import { deviceCaSchema } from '#protocol/device-ca.ts';
import { route, type ApiRouter } from '../http/route.ts';
import type { Authority } from './authority.ts';

const tag = 'trust';

export function authorityOperations(router: ApiRouter, authority: Authority): void {
  route(
    router,
    {
      method: 'get', path: '/device-ca', tag, access: 'viewer',
      summary: 'The device authority, its certificates and revocation lists, and devices that wait for its newest key',
      response: deviceCaSchema,
    },
    () => authority.status(),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/device-ca/rotate', tag, access: 'admin',
      summary: 'Give the device authority a new key; the one before is believed until it is retired',
      response: deviceCaSchema,
      errors: ['conflict'],
    },
    ({ actor }) => authority.rotate(actor),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/device-ca/retire', tag, access: 'admin',
      summary: 'Believe the key before the present one no more; with force also while devices depend on it',
      body: z.strictObject({ force: z.boolean().default(false) }),
      response: deviceCaSchema,
      errors: ['conflict'],
    },
    ({ body, actor }) => authority.retire(actor, body.force),
  ); // prettier-ignore
}
