import { DEFAULT_TOKEN_TTL_MS, newApiTokenSchema } from '#protocol/operators.ts';
import { verb, type AddCommand } from '../../command.ts';
import { parseDuration } from '../../parse.ts';
import { newTokenLines, tokenCalled } from '../../token-lines.ts';

interface Options {
  readonly expires: number;
}

export const addTokenRotate: AddCommand = (noun, surroundings) =>
  verb<Options>(
    noun,
    surroundings,
    'rotate <name-or-id>',
    'another text for a token, shown this once; the old one is void at once',
    (command) =>
      command.option('--expires <duration>', 'how long it is good for', parseDuration, DEFAULT_TOKEN_TTL_MS),
    async ({ api, out }, { expires }, nameOrId = '') => {
      const { id } = await tokenCalled(api, nameOrId);
      const path = `/tokens/${encodeURIComponent(id)}/rotate`;
      const token = await api.post(path, { body: { ttlMs: expires }, answer: newApiTokenSchema });
      for (const line of newTokenLines(token)) out.aside(line);
      out.answer(token, () => [token.token]);
    },
  );
