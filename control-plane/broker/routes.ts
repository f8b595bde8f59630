// The broker's rules for brokers outside, over HTTP.

import { z } from 'zod';
import { mosquittoFilesSchema } from '#protocol/api.ts';
import { integerParameter } from '../http/parameters.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import { SERVICE_NAMES } from '../trust/device-ca.ts';
import { mosquittoAcl, mosquittoConf, opensslCrlPem } from './mosquitto.ts';

export interface BrokerRoutesDeps {
  readonly fleet: string;
  /** Certificates and revocation lists of the device authority. */
  readonly authority: { status(): Promise<{ readonly caPem: string; readonly crlPem: string }> };
}

const DEFAULT_PORT = 8_883;

const querySchema = z.strictObject({
  /** Nothing in it can end a line or name another folder. */
  directory: z
    .string()
    .max(200)
    .regex(/^(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/, 'an absolute path of letters, digits, . _ and -')
    .default('/etc/mosquitto/holdfast'),
  port: integerParameter({ min: 1, max: 65_535 }).default(DEFAULT_PORT),
});

export function brokerRoutes({ fleet, authority }: BrokerRoutesDeps): ApiRouter {
  const router = apiRouter();
  route(
    router,
    {
      method: 'get',
      path: '/broker/mosquitto',
      tag: 'broker',
      summary: 'Files with which Mosquitto enforces the rules of the embedded broker',
      access: 'admin',
      query: querySchema,
      response: mosquittoFilesSchema,
    },
    async ({ query }) => {
      const { caPem, crlPem } = await authority.status();
      return {
        acl: mosquittoAcl(fleet, SERVICE_NAMES),
        conf: mosquittoConf({ ...query, hasRevocationList: crlPem !== '' }),
        caPem,
        crlPem: crlPem === '' ? null : opensslCrlPem(crlPem),
      };
    },
  );
  return router;
}
