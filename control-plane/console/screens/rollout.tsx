import { useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import type { AccessRole } from '#protocol/access.ts';
import { rolloutSchema } from '#protocol/rollout.ts';
import { rolloutScreen, type RolloutCommand, type WaveView } from '../../view/rollout-view.ts';
import { ApiProblem, call, get } from '../api.ts';
import { useLive, useNow } from '../live.ts';
import { Badge } from '../parts/badge.tsx';
import { EventFeed } from '../parts/event-feed.tsx';
import { EvidenceList } from '../parts/evidence-list.tsx';
import { Notice } from '../parts/notice.tsx';
import { WaveRail } from '../parts/wave-rail.tsx';
import { useRoleMissing } from '../who.ts';

const QUESTIONS: Partial<Record<RolloutCommand, string>> = {
  abort:
    'Stop this rollout? Devices in the middle go back to what they ran; healthy ones keep the new version.',
  rollback: 'Send every device back to what it ran before?',
  resume: 'Go on? A device that held the version then serves it, because you decided so.',
};

/** As the server wants it (rollouts/routes.ts). */
const ROLES: Readonly<Record<RolloutCommand, AccessRole>> = {
  start: 'releaser',
  pause: 'operator',
  resume: 'releaser',
  abort: 'operator',
  rollback: 'operator',
};

export function RolloutScreen({ id }: { id: string }) {
  const nowMs = useNow();
  const roleMissing = useRoleMissing();
  const [refused, setRefused] = useState<ApiProblem | null>(null);
  const rollout = useLive(
    () => get(`/rollouts/${id}`, rolloutSchema),
    (event) => event.subject === id || event.kind === 'device',
    `rollout-${id}`,
  );
  if (rollout.value === null) return <Notice problem={rollout.problem} />;
  const screen = rolloutScreen(rollout.value, nowMs);
  const steer = (command: RolloutCommand): void => {
    const question = QUESTIONS[command];
    if (question !== undefined && !confirm(question)) return;
    call('POST', `/rollouts/${id}/${command}`, rolloutSchema, {}).then(
      () => {
        setRefused(null);
        rollout.reload();
      },
      (error: unknown) => setRefused(error instanceof ApiProblem ? error : new ApiProblem(0, String(error))),
    );
  };
  return (
    <>
      <p class="crumbs">
        <Link href="/rollouts">Rollouts</Link> / {id}
      </p>
      <div class="title">
        <h1>
          {screen.title} <Badge tone={screen.tone}>{screen.phase}</Badge>
        </h1>
        <div class="buttons">
          {screen.commands.map((command) => (
            <button
              key={command}
              type="button"
              class={command === 'rollback' || command === 'abort' ? 'danger' : ''}
              disabled={roleMissing(ROLES[command]) !== undefined}
              title={roleMissing(ROLES[command])}
              onClick={() => steer(command)}
            >
              {command}
            </button>
          ))}
        </div>
      </div>
      {screen.reason === null ? null : <p class="reason">{screen.reason}</p>}
      <Notice problem={refused ?? rollout.problem} />
      <section class="panel">
        <WaveRail waves={screen.waves} />
      </section>
      <div class="columns">
        <div>
          {screen.waves.map((wave) => (
            <WavePanel key={wave.index} wave={wave} />
          ))}
        </div>
        <EventFeed concerns={(event) => event.subject === id || event.kind === 'device'} />
      </div>
    </>
  );
}

function WavePanel({ wave }: { wave: WaveView }) {
  return (
    <section class="panel">
      <h2>{wave.name}</h2>
      <ul class="devices">
        {wave.devices.map((device) => (
          <li key={device.id}>
            <div class="head">
              <Link href={`/devices/${device.id}`}>{device.id}</Link>
              <small>{device.profile}</small>
              <Badge tone={device.tone}>{device.state}</Badge>
              {device.why === null ? null : <span class="why">{device.why}</span>}
            </div>
            <EvidenceList evidence={device.evidence} />
          </li>
        ))}
      </ul>
    </section>
  );
}
