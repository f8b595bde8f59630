import { modelSchema } from '#protocol/api.ts';
import { verb, type AddCommand } from '../../command.ts';
import { tableLines } from '../../output.ts';

export const addModelList: AddCommand = (noun, surroundings) =>
  verb(
    noun,
    surroundings,
    'list',
    'all models',
    (command) => command,
    async ({ api, out }) => {
      const models = await api.list('/models', modelSchema);
      out.answer(models, () =>
        tableLines(
          ['model', 'versions', 'latest'],
          models.map((model) => [model.name, model.versions, model.latestVersion]),
        ),
      );
    },
  );
