import { rolloutSchema } from '#protocol/rollout.ts';
import { verb, type AddCommand } from '../../command.ts';
import { rolloutLines } from '../../rollout-lines.ts';
import { watchRollout } from '../../watch-rollout.ts';

export const addRolloutGet: AddCommand = (noun, surroundings) =>
  verb<{ watch?: boolean }>(
    noun,
    surroundings,
    'get <rollout>',
    'one rollout with its waves, devices and verdicts',
    (command) => command.alias('status').option('-w, --watch', 'follow it to its end'),
    async (context, { watch }, id = '') => {
      if (watch === true) return await watchRollout(context, id);
      const rollout = await context.api.get(`/rollouts/${encodeURIComponent(id)}`, rolloutSchema);
      context.out.answer(rollout, () => rolloutLines(rollout, Date.now()));
    },
  );
