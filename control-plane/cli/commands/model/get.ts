import { modelVersionSchema } from '#protocol/api.ts';
import { verb, type AddCommand } from '../../command.ts';
import { modelVersionLines } from '../../model-lines.ts';
import { parseCount } from '../../parse.ts';

export const addModelGet: AddCommand = (noun, surroundings) =>
  verb<{ version?: number }>(
    noun,
    surroundings,
    'get <model>',
    'the versions of a model, with their variants',
    (command) => command.option('--version <n>', 'only this version', parseCount),
    async ({ api, out }, { version }, model) => {
      const base = `/models/${encodeURIComponent(model ?? '')}/versions`;
      const versions =
        version === undefined
          ? await api.list(base, modelVersionSchema)
          : [await api.get(`${base}/${version}`, modelVersionSchema)];
      out.answer(versions, () => versions.flatMap((one) => [...modelVersionLines(one), '']));
    },
  );
