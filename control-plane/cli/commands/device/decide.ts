// What a person decides about a device: each verb posts its own name, with the reason.

import { deviceSchema } from '#protocol/api.ts';
import type { DeviceAction } from '#protocol/device-state.ts';
import { deviceLines } from '../../device-lines.ts';
import { verb, type AddCommand } from '../../command.ts';

const VERBS: Readonly<Record<DeviceAction, { summary: string; reason?: string }>> = {
  approve: { summary: 'lets a device in that waits; compare its key first', reason: 'its key was compared' },
  refuse: { summary: 'turns away a device that waits, for good' },
  quarantine: { summary: 'no orders and no measurements; it goes on serving' },
  release: { summary: 'ends a quarantine' },
  revoke: { summary: 'puts a device out at once and for good' },
  decommission: { summary: 'as revoke, and frees its id for a claim with --replace' },
};

export const addDeviceDecisions: AddCommand = (noun, surroundings) => {
  for (const [action, { summary, reason: byDefault }] of Object.entries(VERBS)) {
    verb<{ readonly reason: string }>(
      noun,
      surroundings,
      `${action} <device>`,
      summary,
      (command) =>
        byDefault === undefined
          ? command.requiredOption('--reason <text>', 'why, for the audit log')
          : command.option('--reason <text>', 'why, for the audit log', byDefault),
      async ({ api, out }, { reason }, id = '') => {
        const path = `/devices/${encodeURIComponent(id)}/${action}`;
        const device = await api.post(path, { body: { reason }, answer: deviceSchema });
        out.answer(device, () => deviceLines(device, Date.now()));
      },
    );
  }
};
