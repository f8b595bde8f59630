// The agent's inference API: Open Inference Protocol v2, for the one model in service. LocalServer keeps it
// on loopback and other hosts' names out. Invariant: content is neither logged nor kept.

import { Router, type Request, type Response } from 'express';
import { HoldfastError } from '#protocol/errors.ts';
import type { Serving } from '../supervisor/serving/serving.ts';
import type { SlotInService } from '../supervisor/serving/serving-types.ts';
import { readBody } from './oip-body.ts';
import { BodyBudget } from './oip-body-budget.ts';
import { modelMetadata, serverMetadata } from './oip-metadata.ts';
import { oipProblems } from './oip-problem.ts';
import { parseInferRequest } from './oip-request.ts';
import { writeAnswer } from './oip-response.ts';

export interface OipDeps {
  readonly serving: Pick<Serving, 'active' | 'infer'>;
  readonly agentVersion: string;
  /** Called with errors that are the agent's own; they hold nothing of a request's content. */
  readonly log: (error: unknown) => void;
  readonly maxBodyBytes?: number;
}

const MAX_BODY_BYTES = 64 * 1024 ** 2;
/** Bodies held at a time, in bodies of the largest size. */
const MAX_HELD_BODIES = 4;

/** Mount it at the root, before any body parser. */
export function oipRoutes({ serving, agentVersion, log, maxBodyBytes = MAX_BODY_BYTES }: OipDeps): Router {
  const router = Router({ caseSensitive: true });
  const budget = new BodyBudget(maxBodyBytes, MAX_HELD_BODIES * maxBodyBytes);

  const inService = (request: Request): SlotInService => {
    const active = serving.active;
    const { model, version } = request.params as { model?: string; version?: string };
    if (active === null) throw notServing();
    const isKnown =
      model === active.release.model && (version === undefined || version === String(active.release.version));
    if (!isKnown) throw notFound(active);
    return active;
  };
  const metadata = (request: Request, response: Response): void => {
    const { load, release } = inService(request);
    response.json(modelMetadata(load.contract, release.version));
  };
  const ready = (request: Request, response: Response): void => {
    const { release } = inService(request);
    response.json({ name: release.model, ready: true });
  };
  const infer = async (request: Request, response: Response): Promise<void> => {
    inService(request);
    using _held = budget.hold(request);
    const body = await readBody(request, maxBodyBytes);
    // A swap may have come while the body did: what is in service now decides how it is read.
    const { contract } = inService(request).load;
    const parsed = parseInferRequest(body, jsonBytesOf(request), contract);
    writeAnswer(response, parsed, await serving.infer(parsed.serve));
  };

  router.post(['/v2/models/:model/infer', '/v2/models/:model/versions/:version/infer'], infer);
  router.get('/v2', (_request, response) => void response.json(serverMetadata(agentVersion)));
  router.get('/v2/health/live', (_request, response) => void response.json({ live: true }));
  router.get('/v2/health/ready', (_request, response) => {
    const isReady = serving.active !== null;
    response.status(isReady ? 200 : 503).json({ ready: isReady });
  });
  router.get(['/v2/models/:model', '/v2/models/:model/versions/:version'], metadata);
  router.get(['/v2/models/:model/ready', '/v2/models/:model/versions/:version/ready'], ready);
  router.use('/v2', (request) => {
    throw new HoldfastError('not-found', `there is no ${request.method} ${request.path} here`, {
      hint: 'the API is the Open Inference Protocol v2; ask GET /v2',
    });
  });
  router.use('/v2', oipProblems(log));
  return router;
}

/** Null when the whole body is JSON. */
function jsonBytesOf(request: Request): number | null {
  const header = request.headers['inference-header-content-length'];
  if (header === undefined) return null;
  const sizeBytes = Number(header);
  if (Number.isSafeInteger(sizeBytes) && sizeBytes >= 0) return sizeBytes;
  throw new HoldfastError('bad-request', 'Inference-Header-Content-Length is not a length');
}

function notServing(): HoldfastError {
  return new HoldfastError('not-serving', 'no model is in service', {
    hint: 'wait for a deployment, or roll back',
  });
}

function notFound({ release }: SlotInService): HoldfastError {
  return new HoldfastError('not-found', 'this model or version is not in service on this device', {
    hint: `in service is ${release.model} version ${release.version}`,
  });
}
