import { Link } from 'wouter-preact';
import { modelSchema } from '#protocol/api.ts';
import { agoInWords } from '../../view/words.ts';
import { list } from '../api.ts';
import { useLive, useNow } from '../live.ts';
import { Notice } from '../parts/notice.tsx';

export function ModelsScreen() {
  const nowMs = useNow();
  const models = useLive(
    () => list('/models', modelSchema),
    (event) => event.kind === 'model',
    'models',
  );
  return (
    <>
      <h1>Models</h1>
      <Notice problem={models.problem} />
      <section class="panel">
        {models.value?.length === 0 ? (
          <p class="empty">
            None yet. Bring one in with <code>holdfast model import</code>.
          </p>
        ) : (
          <table class="cards">
            <thead>
              <tr>
                <th>Model</th>
                <th class="number">Versions</th>
                <th>Newest</th>
                <th class="number">Since</th>
              </tr>
            </thead>
            <tbody>
              {(models.value ?? []).map(({ name, versions, latestVersion, createdAtMs }) => (
                <tr key={name}>
                  <td data-name="Model">
                    <Link href={`/models/${name}`}>{name}</Link>
                  </td>
                  <td data-name="Versions" class="number">
                    {versions}
                  </td>
                  <td data-name="Newest">
                    <Link href={`/models/${name}/versions/${latestVersion}`}>version {latestVersion}</Link>
                  </td>
                  <td data-name="Since" class="number">
                    {agoInWords(createdAtMs, nowMs)}
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
