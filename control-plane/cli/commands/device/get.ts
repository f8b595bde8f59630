import { deviceSchema } from '#protocol/api.ts';
import { verb, type AddCommand } from '../../command.ts';
import { deviceLines } from '../../device-lines.ts';

export const addDeviceGet: AddCommand = (noun, surroundings) =>
  verb(
    noun,
    surroundings,
    'get <device>',
    'one device, with its last deployment',
    (command) => command,
    async ({ api, out }, _options, id) => {
      const device = await api.get(`/devices/${encodeURIComponent(id ?? '')}`, deviceSchema);
      out.answer(device, () => deviceLines(device, Date.now()));
    },
  );
