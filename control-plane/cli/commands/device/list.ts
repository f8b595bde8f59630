import { deviceSchema } from '#protocol/api.ts';
import { fleetView } from '../../../view/fleet-view.ts';
import { verb, type AddCommand } from '../../command.ts';
import { tableLines } from '../../output.ts';

export const addDeviceList: AddCommand = (noun, surroundings) =>
  verb<{ readonly state?: string }>(
    noun,
    surroundings,
    'list',
    'what every device runs',
    (command) =>
      command.option('--state <state>', 'only those in this state; decommissioned ones are shown only so'),
    async ({ api, out }, { state }) => {
      const query = state === undefined ? '' : `?state=${encodeURIComponent(state)}`;
      const devices = await api.list(`/devices${query}`, deviceSchema);
      out.answer(devices, () => {
        const { rows, online, total } = fleetView(devices, Date.now());
        const cells = rows.map((row) => [
          row.id,
          row.profile,
          row.online ? 'online' : 'offline',
          row.running,
          row.ordered,
          row.state,
          row.why,
        ]);
        return [
          ...tableLines(['device', 'profile', 'link', 'runs', 'ordered', 'state', 'why'], cells),
          '',
          `${online} of ${total} online`,
        ];
      });
    },
  );
