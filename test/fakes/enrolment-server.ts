// The two servers of enrolment, public and gateway, with the real authority and one claim. What they answer
// can be spoiled; what the control plane really decides is tested with it.

import { once } from 'node:events';
import { createServer as createHttp, type RequestListener, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { formatClaimToken } from '#protocol/claim-token.ts';
import { ERROR_STATUS, type ErrorCode } from '#protocol/errors.ts';
import type { FleetTls } from './fleet-tls.ts';

export interface EnrolBody {
  readonly claim: string;
  readonly csrPem: string;
  readonly profile: string;
}

export class EnrolmentServer {
  readonly enrolled: EnrolBody[] = [];
  readonly claim: string;
  /** Refusals of the next enrolments, in order; `lost` enrols and breaks the connection before the answer. */
  readonly spoiled: (ErrorCode | 'lost')[] = [];
  /** What the public server says the authority is. */
  caPem: string;
  readonly #tls: FleetTls;
  #public: Server | null = null;
  #gatewayUrl = '';

  private constructor(tls: FleetTls) {
    this.#tls = tls;
    this.caPem = tls.ca.certificatePem;
    this.claim = formatClaimToken({
      claimId: 'abcdefgh',
      secret: 's'.repeat(43),
      caSpkiSha256: tls.ca.spkiSha256(),
    });
  }

  /** Ends with the test. */
  static async start(tls: FleetTls): Promise<EnrolmentServer> {
    const server = new EnrolmentServer(tls);
    server.#gatewayUrl = `https://127.0.0.1:${await listen(createHttps({ ...tls.server, minVersion: 'TLSv1.3' }, server.#gateway))}`;
    server.#public = createHttp(server.#info);
    return server;
  }

  /** Begins to answer, on the given port or a free one. */
  async open(port = 0): Promise<string> {
    return `http://127.0.0.1:${await listen(this.#public as Server, port)}`;
  }

  readonly #info: RequestListener = (_request, response) => {
    const info = {
      fleet: 'test',
      caPem: this.caPem,
      gatewayUrl: this.#gatewayUrl,
      mqttUrl: 'mqtts://127.0.0.1:1',
    };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(info));
  };

  readonly #gateway: RequestListener = async (request, response) => {
    const text = (await request.toArray()).join('');
    const body = JSON.parse(text) as EnrolBody;
    const spoil = this.spoiled.shift();
    if (spoil !== undefined && spoil !== 'lost') {
      const status = ERROR_STATUS[spoil];
      const problem = {
        type: 'x',
        title: 'x',
        status,
        code: spoil,
        detail: `refused: ${spoil}`,
        hint: 'make a new one',
      };
      response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
      return;
    }
    this.enrolled.push(body);
    const deviceId = 'gate-1';
    const { certificatePem } = await this.#tls.ca.issueDeviceCertificate({ deviceId, csrPem: body.csrPem });
    if (spoil === 'lost') {
      response.destroy();
      return;
    }
    const answer = {
      deviceId, fleet: 'test', certificatePem, caPem: this.#tls.ca.certificatePem, gatewayUrl: this.#gatewayUrl,
      mqttUrl: 'mqtts://127.0.0.1:1', imageRoot: '{}', directorRoot: '{}',
    }; // prettier-ignore
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  };
}

async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}
