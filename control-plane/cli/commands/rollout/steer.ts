// The verbs that steer a rollout: each posts its own name and shows what became of it.

import { rolloutSchema } from '#protocol/rollout.ts';
import { verb, type AddCommand } from '../../command.ts';
import { rolloutLines } from '../../rollout-lines.ts';

const VERBS = {
  start: 'starts a draft, or approves one that waits',
  pause: 'gives no further orders',
  resume: 'goes on; promotes what was held, tries again what failed',
  abort: 'stops; devices in the middle go back',
  rollback: 'sends every device back to what it ran before',
} as const;

export const addRolloutSteering: AddCommand = (noun, surroundings) => {
  for (const [name, summary] of Object.entries(VERBS)) {
    verb(
      noun,
      surroundings,
      `${name} <rollout>`,
      summary,
      (command) => command,
      async ({ api, out }, _options, id = '') => {
        const path = `/rollouts/${encodeURIComponent(id)}/${name}`;
        const rollout = await api.post(path, { body: {}, answer: rolloutSchema });
        out.answer(rollout, () => rolloutLines(rollout, Date.now()));
      },
    );
  }
};
