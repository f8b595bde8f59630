import { claimSummarySchema } from '#protocol/claims.ts';
import { verb, type AddCommand } from '../../command.ts';

export const addClaimWithdraw: AddCommand = (noun, surroundings) =>
  verb(
    noun,
    surroundings,
    'withdraw <claim>',
    'lets a claim admit no further device',
    (command) => command,
    async ({ api, out }, _options, id = '') => {
      const path = `/claims/${encodeURIComponent(id)}/withdraw`;
      const claim = await api.post(path, { body: {}, answer: claimSummarySchema });
      out.answer(claim, () => [
        `${claim.claimId} is withdrawn; ${claim.used} of ${claim.uses} devices used it`,
      ]);
    },
  );
