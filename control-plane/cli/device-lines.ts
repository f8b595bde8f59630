// A device as lines for people.

import type { Device } from '#protocol/api.ts';
import { keyFingerprint } from '#protocol/key-fingerprint.ts';
import { fleetRow } from '../view/fleet-view.ts';
import { agoInWords } from '../view/words.ts';

export function deviceLines(device: Device, nowMs: number): string[] {
  const row = fleetRow(device, nowMs);
  const evidence = device.reported?.deployment?.evidence ?? [];
  const { decision, keySha256, certificateExpiresAtMs: endMs } = device;
  return [
    `device    ${row.id}`,
    `profile   ${row.profile}`,
    `link      ${row.online ? 'online' : 'offline'}, seen ${row.seen}`,
    `runs      ${row.running}`,
    `ordered   ${row.ordered ?? 'the same'}`,
    `state     ${row.state}${row.why === null ? '' : `: ${row.why}`}`,
    ...(decision === null ? [] : [`decided   by ${decision.actor}, ${agoInWords(decision.atMs, nowMs)}`]),
    `key       ${keySha256 === null ? '-' : keyFingerprint(keySha256)}`,
    `cert      ${endMs === null ? 'none' : `until ${new Date(endMs).toISOString()}`}`,
    `labels    ${row.labels || '(none)'}`,
    ...evidence.map((one) => `evidence  ${one.gate}: ${one.verdict}, ${one.summary}`),
  ];
}
