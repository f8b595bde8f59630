import { verb, type AddCommand } from '../../command.ts';
import { tokenCalled } from '../../token-lines.ts';

export const addTokenRevoke: AddCommand = (noun, surroundings) =>
  verb(
    noun,
    surroundings,
    'revoke <name-or-id>',
    'voids a token at once, with its sessions',
    (command) => command,
    async ({ api, out }, _options, nameOrId = '') => {
      const token = await tokenCalled(api, nameOrId);
      await api.delete(`/tokens/${encodeURIComponent(token.id)}`);
      out.answer({ id: token.id, name: token.name }, () => [`${token.name} is void`]);
    },
  );
