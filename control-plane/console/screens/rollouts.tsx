import { Link } from 'wouter-preact';
import { rolloutSummarySchema } from '#protocol/api.ts';
import { agoInWords, phaseTone } from '../../view/words.ts';
import { list } from '../api.ts';
import { useLive, useNow } from '../live.ts';
import { Badge } from '../parts/badge.tsx';
import { Notice } from '../parts/notice.tsx';

export function RolloutsScreen() {
  const nowMs = useNow();
  const rollouts = useLive(
    () => list('/rollouts', rolloutSummarySchema),
    (event) => event.kind === 'rollout',
    'rollouts',
  );
  return (
    <>
      <h1>Rollouts</h1>
      <Notice problem={rollouts.problem} />
      <section class="panel">
        {rollouts.value?.length === 0 ? (
          <p class="empty">
            None yet. Begin one with <code>holdfast rollout create</code>.
          </p>
        ) : (
          <table class="cards">
            <thead>
              <tr>
                <th>Version</th>
                <th>Phase</th>
                <th>Why</th>
                <th class="number">Begun</th>
              </tr>
            </thead>
            <tbody>
              {(rollouts.value ?? []).map((rollout) => (
                <tr key={rollout.id}>
                  <td data-name="Version">
                    <Link href={`/rollouts/${rollout.id}`}>
                      {rollout.model} {rollout.version}
                    </Link>
                    <small>{rollout.id}</small>
                  </td>
                  <td data-name="Phase">
                    <Badge tone={phaseTone(rollout.phase)}>{rollout.phase}</Badge>
                  </td>
                  <td data-name="Why" class="prose">
                    {rollout.reason ?? '–'}
                  </td>
                  <td data-name="Begun" class="number">
                    {agoInWords(rollout.createdAtMs, nowMs)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
    </>
  );
}
