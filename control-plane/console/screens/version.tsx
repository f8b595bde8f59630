import { Link } from 'wouter-preact';
import { modelVersionDetailSchema } from '#protocol/api.ts';
import { provenanceSchema } from '#protocol/provenance.ts';
import { choiceView } from '../../view/candidate-view.ts';
import { provenanceView } from '../../view/provenance-view.ts';
import { percentInWords, sizeInWords } from '../../view/words.ts';
import { get } from '../api.ts';
import { useLive } from '../live.ts';
import { ChoicePanel } from '../parts/choice-panel.tsx';
import { Notice } from '../parts/notice.tsx';
import { ProvenancePanel } from '../parts/provenance-panel.tsx';

/** One version: what it is, what was tried for each profile, and where it comes from. */
export function VersionScreen({ model, version }: { model: string; version: string }) {
  const path = `/models/${model}/versions/${version}`;
  const isAbout = (event: { kind: string; subject: string }) =>
    event.kind === 'model' && event.subject === `${model}/${version}`;
  const loaded = useLive(() => get(path, modelVersionDetailSchema), isAbout, path);
  const provenance = useLive(
    () => get(`${path}/provenance`, provenanceSchema),
    isAbout,
    `${path}/provenance`,
  );
  if (loaded.value === null) return <Notice problem={loaded.problem} />;
  const { contract, evaluation, variants, choices } = loaded.value;
  const signed = variants.filter(({ releaseCounter }) => releaseCounter !== null).length;
  return (
    <>
      <p class="crumbs">
        <Link href="/models">Models</Link> / <Link href={`/models/${model}`}>{model}</Link> / {version}
      </p>
      <h1>
        {model} {version}
      </h1>
      <Notice problem={loaded.problem} />
      <dl class="figures">
        <Figure name="weights of the original" value={sizeInWords(contract.weights.sizeBytes)} />
        <Figure
          name="accuracy of the original"
          value={evaluation?.accuracy == null ? '–' : percentInWords(evaluation.accuracy, 2)}
        />
        <Figure
          name="p95 of the original, this machine"
          value={evaluation === null ? '–' : `${evaluation.latencyP95Ms.toFixed(2)} ms`}
        />
        <Figure name="variants signed" value={`${signed}/${variants.length}`} />
      </dl>
      {choices.length === 0 ? (
        <p class="empty">
          Nothing has been compressed yet. Begin with <code>holdfast model compress</code>.
        </p>
      ) : (
        choices.map((choice) => (
          <ChoicePanel key={choice.profile} choice={choiceView(choice, contract.labels)} />
        ))
      )}
      {provenance.value === null ? (
        <Notice problem={provenance.problem} />
      ) : (
        <ProvenancePanel view={provenanceView(model, Number(version), provenance.value)} />
      )}
    </>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
