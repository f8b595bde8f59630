import { trustStatusSchema } from '#protocol/trust.ts';
import { verb, type AddCommand } from '../../command.ts';
import { statusLines } from '../../trust-lines.ts';

export const addTrustStatus: AddCommand = (noun, surroundings) =>
  verb(
    noun,
    surroundings,
    'status',
    'who signs what, until when, and what waits for signatures',
    (command) => command,
    async ({ api, out }) => {
      const status = await api.get('/trust', trustStatusSchema);
      out.answer(status, () => statusLines(status, Date.now()));
    },
  );
