import { claimSchema } from '#protocol/api.ts';
import { verb, type AddCommand } from '../../command.ts';
import { collectLabel, parseDuration } from '../../parse.ts';

interface Options {
  readonly device?: string;
  readonly profile?: string;
  readonly label?: Record<string, string>;
  readonly ttl: number;
}

export const addClaimCreate: AddCommand = (noun, surroundings) =>
  verb<Options>(
    noun,
    surroundings,
    'create',
    'a one-time claim with which a device enrols',
    (command) =>
      command
        .option('--device <id>', 'the id that the device gets (made up otherwise)')
        .option('--profile <name>', 'only this profile may use it')
        .option('--label <key=value>', 'label of the device, may be repeated', collectLabel)
        .option('--ttl <duration>', 'how long it is good for', parseDuration, 3_600_000),
    async ({ api, out }, { device, profile, label, ttl }) => {
      const body = { deviceId: device, profile, labels: label ?? {}, ttlMs: ttl };
      const claim = await api.post('/claims', { body, answer: claimSchema });
      out.answer(claim, () => [claim.token]);
    },
  );
