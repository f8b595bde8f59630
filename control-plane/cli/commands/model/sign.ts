import { modelVersionSchema } from '#protocol/api.ts';
import { verb, type AddCommand } from '../../command.ts';
import { modelVersionLines } from '../../model-lines.ts';
import { parseCount } from '../../parse.ts';

export const addModelSign: AddCommand = (noun, surroundings) =>
  verb<{ version: number }>(
    noun,
    surroundings,
    'sign <model>',
    'releases every variant of a version into the Image repository',
    (command) => command.requiredOption('--version <n>', 'which version', parseCount),
    async ({ api, out }, { version }, model) => {
      const path = `/models/${encodeURIComponent(model ?? '')}/versions/${version}/sign`;
      const signed = await api.post(path, { body: {}, answer: modelVersionSchema });
      out.answer(signed, () => modelVersionLines(signed));
    },
  );
