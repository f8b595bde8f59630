// REST operations on rollouts.

import { z } from 'zod';
import { createRolloutSchema, rolloutSummarySchema, type RolloutSummary } from '#protocol/api.ts';
import { rolloutSchema, type Rollout } from '#protocol/rollout.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import type { RolloutView } from './reconcile.ts';
import type { RolloutService } from './service.ts';

const idParams = z.object({ id: z.string().min(1).max(64) });
const tag = 'rollouts';

const COMMANDS = {
  start: 'Starts a draft, or approves one that waits',
  pause: 'Gives no further orders; devices in the middle finish theirs',
  resume: 'Goes on; devices that held the version now get it directly, failed ones try again',
  abort: 'Stops; devices in the middle go back to what they ran, healthy ones keep the new version',
  rollback: 'Sends every device that was given the version back to what it ran before',
} as const;

export function rolloutRoutes(rollouts: RolloutService): ApiRouter {
  const router = apiRouter();
  route(
    router,
    {
      method: 'post', path: '/rollouts', tag, status: 201,
      summary: 'Plans a rollout of a signed version and begins it',
      body: createRolloutSchema,
      response: rolloutSchema,
      errors: ['selector-empty', 'profile-unknown', 'conflict', 'not-found'],
    },
    async ({ body, actor }) => answerOf(await rollouts.create(body, actor)),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/rollouts', tag,
      summary: 'Rollouts, newest first',
      response: z.object({ items: z.array(rolloutSummarySchema) }),
    },
    async () => ({ items: (await rollouts.list()).map(summaryOf) }),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/rollouts/:id', tag,
      summary: 'One rollout with its devices and their evidence',
      params: idParams,
      response: rolloutSchema,
      errors: ['not-found'],
    },
    async ({ params }) => answerOf(await rollouts.get(params.id)),
  ); // prettier-ignore
  for (const [command, summary] of Object.entries(COMMANDS) as [keyof typeof COMMANDS, string][]) {
    route(
      router,
      {
        method: 'post', path: `/rollouts/:id/${command}`, tag, summary,
        params: idParams,
        response: rolloutSchema,
        errors: ['not-found', 'wrong-phase'],
      },
      async ({ params, actor }) => answerOf(await rollouts[command](params.id, actor)),
    ); // prettier-ignore
  }
  return router;
}

function answerOf(view: RolloutView): Rollout {
  return { ...view, devices: view.devices.map(({ running: _running, ...device }) => device) };
}

function summaryOf(view: RolloutView): RolloutSummary {
  const { devices, plan: _plan, selector: _selector, ...rest } = view;
  const counts = Object.fromEntries(
    [...Map.groupBy(devices, (device) => device.rollbackState ?? device.state)].map(([state, of]) => [
      state,
      of.length,
    ]),
  );
  return { ...rest, counts };
}
