import { claimSummarySchema } from '#protocol/claims.ts';
import { verb, type AddCommand } from '../../command.ts';
import { tableLines } from '../../output.ts';

export const addClaimList: AddCommand = (noun, surroundings) =>
  verb<{ readonly state?: string }>(
    noun,
    surroundings,
    'list',
    'claims, newest first, without their tokens',
    (command) => command.option('--state <state>', 'only open, spent, expired or withdrawn ones'),
    async ({ api, out }, { state }) => {
      const query = state === undefined ? '' : `&state=${encodeURIComponent(state)}`;
      const claims = await api.list(`/claims?limit=1000${query}`, claimSummarySchema);
      out.answer(claims, () =>
        tableLines(
          ['claim', 'state', 'used', 'of', 'device', 'profile', 'approval', 'expires', 'by'],
          claims.map((claim) => [
            claim.claimId,
            claim.state,
            claim.used,
            claim.uses,
            claim.deviceId ?? `${claim.idPrefix}*`,
            claim.profile,
            claim.approval ? 'yes' : 'no',
            new Date(claim.expiresAtMs).toISOString(),
            claim.createdBy,
          ]),
        ),
      );
    },
  );
