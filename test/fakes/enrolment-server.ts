// The two servers of enrolment, public and gateway, with the real authority and one claim. What they answer
// can be spoiled; what the control plane really decides is tested with it.

import { once } from 'node:events';
import {
  createServer as createHttp,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { formatClaimToken } from '#protocol/claim-token.ts';
import { ERROR_STATUS, HoldfastError, type ErrorCode } from '#protocol/errors.ts';
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
  /** What the gateway says of the device that asks how it stands, or refuses it with. */
  standing: { state?: 'active' | 'quarantined'; isRenewalDue?: boolean } | HoldfastError = {};
  looks = 0;
  renewals = 0;
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

  get bundlePem(): string {
    return this.#tls.ca.bundlePem;
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
    response.setHeader('content-type', 'application/json');
    if (request.url === '/standing') {
      this.looks++;
      if (this.standing instanceof HoldfastError) return refuse(response, this.standing);
      response.end(
        JSON.stringify({ state: 'active', isRenewalDue: false, caPem: this.bundlePem, ...this.standing }),
      );
      return;
    }
    const spoil = this.spoiled.shift();
    if (spoil !== undefined && spoil !== 'lost') {
      return refuse(response, new HoldfastError(spoil, `refused: ${spoil}`, { hint: 'make a new one' }));
    }
    const isRenewal = request.url === '/renew';
    if (isRenewal) this.renewals++;
    else this.enrolled.push(JSON.parse(text) as EnrolBody);
    const { csrPem } = JSON.parse(text) as { csrPem: string };
    const deviceId = 'gate-1';
    const { certificatePem, expiresAtMs } = await this.#tls.ca.issueDeviceCertificate({ deviceId, csrPem });
    if (spoil === 'lost') {
      response.destroy();
      return;
    }
    const caPem = this.bundlePem;
    const enrolment = {
      deviceId, fleet: 'test', certificatePem, caPem, gatewayUrl: this.#gatewayUrl,
      mqttUrl: 'mqtts://127.0.0.1:1', imageRoot: '{}', directorRoot: '{}',
    }; // prettier-ignore
    response.end(JSON.stringify(isRenewal ? { certificatePem, expiresAtMs, caPem } : enrolment));
  };
}

function refuse(response: ServerResponse, { code, message, hint }: HoldfastError): void {
  const status = ERROR_STATUS[code];
  const problem = { type: 'x', title: 'x', status, code, detail: message, hint };
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
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
