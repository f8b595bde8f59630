// The key of the authority that certifies devices: a new one, and the end of the one before.

import { deviceCaSchema, type DeviceCaStatus } from '#protocol/device-ca.ts';
import { verb, type AddCommand } from '../../command.ts';

export const addTrustRotateCa: AddCommand = (noun, surroundings) =>
  verb<{ readonly retire?: boolean; readonly force?: boolean }>(
    noun,
    surroundings,
    'rotate-ca',
    'gives the device authority a new key; devices renew their certificates by themselves',
    (command) =>
      command
        .option(
          '--retire',
          'believe the key before no more, once every device has a certificate of the new one',
        )
        .option('--force', 'with --retire: also while devices depend on it; they must then enrol again'),
    async ({ api, out }, { retire = false, force = false }) => {
      const call = retire
        ? { path: '/device-ca/retire', body: { force } }
        : { path: '/device-ca/rotate', body: {} };
      const status = await api.post(call.path, { body: call.body, answer: deviceCaSchema });
      out.answer(status, () => lines(status));
    },
  );

function lines({ authorities, isKeyEncrypted, waitingFor, waiting }: DeviceCaStatus): string[] {
  return [
    ...authorities.map(
      ({ keySha256, expiresAtMs }, index) =>
        `${index === 0 ? 'signs   ' : 'believed'}  ${keySha256}  until ${new Date(expiresAtMs).toISOString()}`,
    ),
    `key       ${isKeyEncrypted ? 'encrypted' : 'lies open in the data folder'}`,
    waitingFor === 0
      ? 'every device has a certificate of the newest key'
      : `${waitingFor} devices have no certificate of it yet: ${waiting.join(', ')}`,
  ];
}
