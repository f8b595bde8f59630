// What the device gateway serves: enrolment and renewal, TUF metadata, blobs. Invariants: all but enrolment needs a
// device certificate whose device may connect now; a device reads no Director metadata but its own; a quarantined one
// gets neither orders nor bytes.

import { basename, dirname } from 'node:path';
import express, { type Request, type Response, type Router } from 'express';
import { rateLimit } from 'express-rate-limit';
import {
  enrolRequestSchema,
  renewRequestSchema,
  type EnrolResponse,
  type RenewResponse,
  type Standing,
} from '#protocol/api.ts';
import { errorCodeOf, HoldfastError } from '#protocol/errors.ts';
import { sha256Schema } from '#protocol/identifiers.ts';
import { jsonBody } from '../http/json-body.ts';
import { validated } from '../http/validated.ts';
import { refuseQuarantined, requireDevice, type Admission } from './gateway-access.ts';
import type { EnrolRequest } from './enrolment.ts';

export interface GatewayDeps {
  readonly enrol: (request: EnrolRequest) => Promise<EnrolResponse>;
  readonly renew: (deviceId: string, csrPem: string) => Promise<RenewResponse>;
  readonly standing: (deviceId: string) => Promise<Standing>;
  /** Looked up at every request; null for a device that never enrolled. */
  readonly admission: (deviceId: string) => Promise<Admission | null>;
  readonly image: { readImageFile(name: string): Promise<Buffer | null> };
  readonly director: { readDirectorFile(deviceId: string, name: string): Promise<Buffer | null> };
  /** Whether devices may have a blob at all. */
  readonly releasedBlobs: { has(sha256: string): Promise<boolean> };
  readonly blobs: { has(sha256: string): Promise<boolean>; path(sha256: string): string };
  /** Refused enrolments and renewals of one address in a minute. */
  readonly failedEnrolmentsPerMinute?: number;
}

const MAX_ENROL_BYTES = 16 * 1024;
const FAILED_ENROLMENTS_PER_MINUTE = 30;
const ONE_YEAR_S = 31_536_000;

export function gatewayRoutes(deps: GatewayDeps): Router {
  const router = express.Router({ strict: false, caseSensitive: true });
  const slowDown = rateLimit({
    windowMs: 60_000,
    limit: deps.failedEnrolmentsPerMinute ?? FAILED_ENROLMENTS_PER_MINUTE,
    skipSuccessfulRequests: true,
    // A factory's devices that wait for a person, all behind one address, guess nothing.
    requestWasSuccessful: (_request, response) =>
      response.statusCode < 400 || response.locals['waits'] === true,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    handler() {
      throw new HoldfastError('rate-limited', 'too many refused enrolments from this address', {
        hint: 'wait a minute, and check the claim',
      });
    },
  });

  router.post('/enrol', slowDown, ...jsonBody(MAX_ENROL_BYTES), async (request, response) => {
    const body = validated(enrolRequestSchema, request.body, 'body');
    try {
      response.json(await deps.enrol(body));
    } catch (error) {
      response.locals['waits'] = errorCodeOf(error) === 'approval-pending';
      throw error;
    }
  });

  router.use(requireDevice(deps.admission));

  router.get('/standing', async (_request, response) => {
    response.setHeader('Cache-Control', 'no-store');
    response.json(await deps.standing(deviceOf(response)));
  });

  router.post('/renew', slowDown, ...jsonBody(MAX_ENROL_BYTES), async (request, response) => {
    const { csrPem } = validated(renewRequestSchema, request.body, 'body');
    response.json(await deps.renew(deviceOf(response), csrPem));
  });

  router.get('/image/:file', async (request, response) => {
    sendMetadata(response, await deps.image.readImageFile(fileOf(request)), fileOf(request));
  });

  router.use(refuseQuarantined);

  // With or without the device's own id in the path; another's is not found.
  router.get(['/director/:file', '/director/:device/:file'], async (request, response) => {
    const file = fileOf(request);
    const { device } = request.params;
    if (device !== undefined && device !== deviceOf(response)) {
      throw new HoldfastError('not-found', `there is no metadata ${file}`);
    }
    sendMetadata(response, await deps.director.readDirectorFile(deviceOf(response), file), file);
  });

  // Express answers HEAD by the same handler, and sendFile ranges (RFC 9110, section 14) with If-Range.
  router.get('/blobs/:sha256', async (request, response) => {
    const sha256 = validated(sha256Schema, request.params.sha256, 'path');
    if (!(await deps.releasedBlobs.has(sha256)) || !(await deps.blobs.has(sha256))) {
      throw new HoldfastError('not-found', `no release has a blob ${sha256}`);
    }
    await sendBlob(response, sha256, deps.blobs.path(sha256));
  });

  return router;
}

function deviceOf(response: Response): string {
  return String(response.locals['deviceId']);
}

function fileOf(request: Request): string {
  return String(request.params['file']);
}

function sendMetadata(response: Response, bytes: Buffer | null, file: string): void {
  if (bytes === null) throw new HoldfastError('not-found', `there is no metadata ${file}`);
  response.setHeader('Cache-Control', 'no-store');
  response.type('application/json').send(bytes);
}

async function sendBlob(response: Response, sha256: string, path: string): Promise<void> {
  response.setHeader('ETag', `"${sha256}"`);
  response.setHeader('Cache-Control', `private, max-age=${ONE_YEAR_S}, immutable`);
  response.type('application/octet-stream');
  await new Promise<void>((resolve, reject) => {
    const options = {
      root: dirname(path),
      dotfiles: 'allow' as const,
      lastModified: false,
      cacheControl: false,
    };
    response.sendFile(basename(path), options, (error: (Error & { status?: number }) | undefined) => {
      if (error === undefined || response.headersSent) resolve();
      else if (error.status === 416) {
        response.removeHeader('Cache-Control');
        response.status(416).end();
        resolve();
      } else reject(error);
    });
  });
}
