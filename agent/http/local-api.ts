// What a person beside the device can ask and do, with no network: see the state, go back one version.

import express, { type Router } from 'express';
import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { versionNumberSchema } from '#protocol/identifiers.ts';
import type { AgentStatus } from '../supervisor/status.ts';

/** What the local API needs of the agent. */
export interface LocalAgent {
  status(): Promise<AgentStatus>;
  /** Throws `no-previous-version`. */
  rollBack(): Promise<void>;
}

const MAX_BODY_BYTES = 4_096;

const rollbackSchema = z.strictObject({
  /** The version one means to go back to: makes a request that is sent twice harmless. */
  toVersion: versionNumberSchema.optional(),
});

export function localApi(agent: LocalAgent): Router {
  const router = express.Router();

  router.get('/api/status', async (_request, response) => {
    response.setHeader('Cache-Control', 'no-store');
    response.json(await agent.status());
  });

  router.post('/api/rollback', express.json({ limit: MAX_BODY_BYTES }), async (request, response) => {
    const body = rollbackSchema.safeParse(request.body ?? {});
    if (!body.success) {
      throw new HoldfastError('bad-request', `body: ${body.error.issues[0]?.message ?? 'wrong'}`, {
        hint: 'send {} or {"toVersion": <number>}',
      });
    }
    const { toVersion } = body.data;
    const before = await agent.status();
    if (toVersion === undefined || before.active?.version !== toVersion) {
      if (toVersion !== undefined && before.previous !== null && before.previous.version !== toVersion) {
        const detail = `the version before is ${before.previous.version}, not ${toVersion}`;
        throw new HoldfastError('conflict', detail, { hint: 'look at /api/status and ask again' });
      }
      await agent.rollBack();
    }
    response.json(await agent.status());
  });

  return router;
}
