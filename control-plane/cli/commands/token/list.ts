import { apiTokenSchema } from '#protocol/operators.ts';
import { verb, type AddCommand } from '../../command.ts';
import { tokenLines } from '../../token-lines.ts';

export const addTokenList: AddCommand = (noun, surroundings) =>
  verb(
    noun,
    surroundings,
    'list',
    'all tokens for an admin, the own for everybody else',
    (command) => command,
    async ({ api, out }) => {
      const tokens = await api.list('/tokens', apiTokenSchema);
      out.answer(tokens, () => tokenLines(tokens, Date.now()));
    },
  );
