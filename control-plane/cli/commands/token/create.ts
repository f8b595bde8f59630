import { Option } from 'commander';
import { ACCESS_ROLES, type AccessRole } from '#protocol/access.ts';
import { DEFAULT_TOKEN_TTL_MS, newApiTokenSchema } from '#protocol/operators.ts';
import { verb, type AddCommand } from '../../command.ts';
import { collect, collectLabel, parseDuration } from '../../parse.ts';
import { newTokenLines } from '../../token-lines.ts';

interface Options {
  readonly role: AccessRole;
  readonly team?: string[];
  readonly group?: Record<string, string>;
  readonly expires: number;
}

export const addTokenCreate: AddCommand = (noun, surroundings) =>
  verb<Options>(
    noun,
    surroundings,
    'create <name>',
    'a token with one role, on everything or narrowed; it is shown this once',
    (command) =>
      command
        .addOption(new Option('--role <role>', 'what it may do').choices(ACCESS_ROLES).makeOptionMandatory())
        .option('--team <name>', 'only models of this team, may be repeated', collect)
        .option('--group <key=value>', 'only devices with this label, may be repeated', collectLabel)
        .option('--expires <duration>', 'how long it is good for', parseDuration, DEFAULT_TOKEN_TTL_MS),
    async ({ api, out }, { role, team, group, expires }, name = '') => {
      const grants = [{ role, teams: team, group }];
      const body = { name, grants, ttlMs: expires };
      const token = await api.post('/tokens', { body, answer: newApiTokenSchema });
      for (const line of newTokenLines(token)) out.aside(line);
      out.answer(token, () => [token.token]);
    },
  );
