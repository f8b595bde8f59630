import { writeFile } from 'node:fs/promises';
import { HoldfastError } from '#protocol/errors.ts';
import { stagedRoleSchema } from '#protocol/trust.ts';
import { z } from 'zod';
import { verb, type AddCommand } from '../../command.ts';
import { repositoryOption } from './repository-option.ts';

interface Options {
  readonly repository: string;
  readonly out: string;
  readonly published?: boolean;
}

export const addTrustExport: AddCommand = (noun, surroundings) =>
  verb<Options>(
    noun,
    surroundings,
    'export <role>',
    'what waits for signatures, as a file to carry to a machine without network',
    (command) =>
      repositoryOption(command)
        .requiredOption('--out <file>', 'where to write it')
        .option('--published', 'the published metadata instead, as `holdfast-tuf init` takes a root'),
    async ({ api, out: output }, { repository, out, published }, role = '') => {
      const path = `/trust/${encodeURIComponent(repository)}/${encodeURIComponent(role)}`;
      const document =
        published === true
          ? await api.get(path, z.record(z.string(), z.json()))
          : await api.get(`${path}/staged`, stagedRoleSchema);
      try {
        await writeFile(out, `${JSON.stringify(document)}\n`, { flag: 'wx' });
      } catch (cause) {
        throw new HoldfastError('conflict', `${out} cannot be written`, {
          hint: 'choose a path where no file is',
          cause,
        });
      }
      output.answer({ path: out }, () => [`${repository} ${role}: written to ${out}`]);
    },
  );
