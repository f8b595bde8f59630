import { rolloutSummarySchema } from '#protocol/api.ts';
import { durationInWords } from '../../../view/words.ts';
import { verb, type AddCommand } from '../../command.ts';
import { tableLines } from '../../output.ts';

export const addRolloutList: AddCommand = (noun, surroundings) =>
  verb(
    noun,
    surroundings,
    'list',
    'rollouts, newest first',
    (command) => command,
    async ({ api, out }) => {
      const rollouts = await api.list('/rollouts', rolloutSummarySchema);
      out.answer(rollouts, () =>
        tableLines(
          ['rollout', 'model', 'version', 'phase', 'wave', 'age', 'reason'],
          rollouts.map((rollout) => [
          rollout.id, rollout.model, rollout.version, rollout.phase, rollout.wave,
          durationInWords(Date.now() - rollout.createdAtMs), rollout.reason,
        ]), // prettier-ignore
        ),
      );
    },
  );
