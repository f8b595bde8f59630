// REST operations on rollouts.

import { z } from 'zod';
import { createRolloutSchema, rolloutSummarySchema, type RolloutSummary } from '#protocol/api.ts';
import { rolloutSchema, type Rollout } from '#protocol/rollout.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import { coversReach, requireReach, type RolloutReach } from './reach.ts';
import type { RolloutView } from './reconcile.ts';
import type { RolloutService } from './service.ts';

const idParams = z.object({ id: z.string().min(1).max(64) });
const tag = 'rollouts';
const NOTHING: RolloutReach = { model: '', labels: [] };

/** What brings a version to devices is for releasers; what stops it, for operators too. */
const COMMANDS = {
  start: { role: 'releaser', summary: 'Starts a draft, or approves one that waits' },
  pause: { role: 'operator', summary: 'Gives no further orders; devices in the middle finish theirs' },
  resume: { role: 'releaser', summary: 'Goes on; devices that held the version now get it directly, failed ones try again' },
  abort: { role: 'operator', summary: 'Stops; devices in the middle go back to what they ran, healthy ones keep the new version' },
  rollback: { role: 'operator', summary: 'Sends every device that was given the version back to what it ran before' },
} as const; // prettier-ignore
type Command = keyof typeof COMMANDS;

export function rolloutRoutes(rollouts: RolloutService): ApiRouter {
  const router = apiRouter();
  route(
    router,
    {
      method: 'post', path: '/rollouts', tag, access: 'releaser', scope: 'handler', status: 201,
      summary: 'Plans a rollout of a signed version and begins it',
      body: createRolloutSchema,
      response: rolloutSchema,
      errors: ['selector-empty', 'profile-unknown', 'conflict', 'not-found'],
    },
    async ({ body, actor, permission }) =>
      answerOf(await rollouts.create(body, actor, (reach) => requireReach(permission, 'releaser', reach))),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/rollouts', tag, access: 'viewer', scope: 'handler',
      summary: 'Rollouts, newest first',
      response: z.object({ items: z.array(rolloutSummarySchema) }),
    },
    async ({ permission }) => {
      const views = await rollouts.list();
      const reaches = await rollouts.reachesOf(views);
      const seen = views.filter((_, index) => coversReach(permission, 'viewer', reaches[index] ?? NOTHING));
      return { items: seen.map(summaryOf) };
    },
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/rollouts/:id', tag, access: 'viewer', scope: 'handler',
      summary: 'One rollout with its devices and their evidence',
      params: idParams,
      response: rolloutSchema,
      errors: ['not-found'],
    },
    async ({ params, permission }) => {
      const view = await rollouts.get(params.id);
      requireReach(permission, 'viewer', await rollouts.reachOf(view));
      return answerOf(view);
    },
  ); // prettier-ignore
  for (const [command, { role, summary }] of Object.entries(COMMANDS) as [
    Command,
    (typeof COMMANDS)[Command],
  ][]) {
    route(
      router,
      {
        method: 'post', path: `/rollouts/:id/${command}`, tag, access: role, scope: 'handler', summary,
        params: idParams,
        response: rolloutSchema,
        errors: ['not-found', 'wrong-phase'],
      },
      async ({ params, actor, permission }) => {
        requireReach(permission, role, await rollouts.reachOf(await rollouts.get(params.id)));
        return answerOf(await rollouts[command](params.id, actor));
      },
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
