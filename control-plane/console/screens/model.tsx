import { Link } from 'wouter-preact';
import { modelVersionSchema, type ModelVersion } from '#protocol/api.ts';
import { agoInWords, percentInWords, sizeInWords } from '../../view/words.ts';
import { list } from '../api.ts';
import { useLive, useNow } from '../live.ts';
import { Notice } from '../parts/notice.tsx';

/** The versions of a model, newest first. */
export function ModelScreen({ name }: { name: string }) {
  const versions = useLive(
    () => list(`/models/${name}/versions`, modelVersionSchema),
    (event) => event.kind === 'model' && event.subject.startsWith(`${name}/`),
    `model-${name}`,
  );
  return (
    <>
      <p class="crumbs">
        <Link href="/models">Models</Link> / {name}
      </p>
      <h1>{name}</h1>
      <Notice problem={versions.problem} />
      <section class="panel">
        <table class="cards">
          <thead>
            <tr>
              <th>Version</th>
              <th class="number">Weights</th>
              <th class="number">Accuracy</th>
              <th>Variants</th>
              <th class="number">Imported</th>
            </tr>
          </thead>
          <tbody>
            {(versions.value ?? []).map((version) => (
              <Row key={version.version} version={version} />
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}

function Row({ version }: { version: ModelVersion }) {
  const nowMs = useNow();
  const { model, version: number, contract, evaluation, variants, createdAtMs } = version;
  return (
    <tr>
      <td data-name="Version">
        <Link href={`/models/${model}/versions/${number}`}>
          {model} {number}
        </Link>
      </td>
      <td data-name="Weights" class="number">
        {sizeInWords(contract.weights.sizeBytes)}
      </td>
      <td data-name="Accuracy" class="number">
        {evaluation?.accuracy == null ? '–' : percentInWords(evaluation.accuracy, 2)}
      </td>
      <td data-name="Variants">
        {variants.length === 0
          ? 'none yet'
          : variants.map(({ profile, precision }) => `${profile}: ${precision}`).join(', ')}
      </td>
      <td data-name="Imported" class="number">
        {agoInWords(createdAtMs, nowMs)}
      </td>
    </tr>
  );
}
