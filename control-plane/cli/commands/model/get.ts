import { modelVersionDetailSchema, modelVersionSchema } from '#protocol/api.ts';
import { verb, type AddCommand } from '../../command.ts';
import { modelVersionLines, versionDetailLines } from '../../model-lines.ts';
import { parseCount } from '../../parse.ts';

export const addModelGet: AddCommand = (noun, surroundings) =>
  verb<{ version?: number }>(
    noun,
    surroundings,
    'get <model>',
    'the versions of a model, with their variants',
    (command) =>
      command.option('--version <n>', 'only this version, with all candidates that were tried', parseCount),
    async ({ api, out }, { version }, model) => {
      const base = `/models/${encodeURIComponent(model ?? '')}/versions`;
      if (version === undefined) {
        const versions = await api.list(base, modelVersionSchema);
        return out.answer(versions, () => versions.flatMap((one) => [...modelVersionLines(one), '']));
      }
      const one = await api.get(`${base}/${version}`, modelVersionDetailSchema);
      out.answer([one], () => [...versionDetailLines(one), '']);
    },
  );
