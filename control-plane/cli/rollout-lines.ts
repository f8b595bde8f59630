// A rollout as lines for people, from the same view model as the console.

import type { Rollout } from '#protocol/rollout.ts';
import { rolloutScreen, type WaveView } from '../view/rollout-view.ts';

const MARK: Readonly<Record<WaveView['status'], string>> = { done: '●', current: '◐', waiting: '○' };

export function rolloutLines(rollout: Rollout, nowMs: number): string[] {
  const screen = rolloutScreen(rollout, nowMs);
  const rail = screen.waves
    .map((wave) => `${MARK[wave.status]} ${wave.name} ${wave.healthy}/${wave.total}`)
    .join(' ── ');
  return [
    `${screen.id}  ${screen.title}  ${screen.phase}  (${screen.age} old)`,
    ...(screen.reason === null ? [] : [`  ${screen.reason}`]),
    `  ${rail}`,
    ...screen.waves.flatMap((wave) => [
      `  ${wave.name}: ${wave.note}`,
      ...wave.devices.flatMap((device) => [
        `    ${device.id}  ${device.profile}  ${device.state}${device.why === null ? '' : `: ${device.why}`}`,
        ...device.evidence.map(
          (evidence) => `      ${evidence.gate} ${evidence.verdict}: ${evidence.summary}`,
        ),
      ]),
    ]),
    ...(screen.commands.length === 0
      ? []
      : [`  next: ${screen.commands.map((name) => `rollout ${name} ${screen.id}`).join(', ')}`]),
  ];
}
