import { deviceSchema } from '#protocol/api.ts';
import { fleetRow } from '../../../view/fleet-view.ts';
import { verb, type AddCommand } from '../../command.ts';

export const addDeviceGet: AddCommand = (noun, surroundings) =>
  verb(
    noun,
    surroundings,
    'get <device>',
    'one device, with its last deployment',
    (command) => command,
    async ({ api, out }, _options, id) => {
      const device = await api.get(`/devices/${encodeURIComponent(id ?? '')}`, deviceSchema);
      out.answer(device, () => {
        const row = fleetRow(device, Date.now());
        const evidence = device.reported?.deployment?.evidence ?? [];
        return [
          `device    ${row.id}`,
          `profile   ${row.profile}`,
          `link      ${row.online ? 'online' : 'offline'}, seen ${row.seen}`,
          `runs      ${row.running}`,
          `ordered   ${row.ordered ?? 'the same'}`,
          `state     ${row.state}${row.why === null ? '' : `: ${row.why}`}`,
          `labels    ${row.labels || '(none)'}`,
          ...evidence.map((one) => `evidence  ${one.gate}: ${one.verdict}, ${one.summary}`),
        ];
      });
    },
  );
