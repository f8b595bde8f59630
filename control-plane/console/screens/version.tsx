import { Link } from 'wouter-preact';
import { modelVersionDetailSchema } from '#protocol/api.ts';
import { choiceView } from '../../view/candidate-view.ts';
import { percentInWords, sizeInWords } from '../../view/words.ts';
import { get } from '../api.ts';
import { useLive } from '../live.ts';
import { ChoicePanel } from '../parts/choice-panel.tsx';
import { Notice } from '../parts/notice.tsx';

/** One version: what it is, and what was tried for each profile. */
export function VersionScreen({ model, version }: { model: string; version: string }) {
  const path = `/models/${model}/versions/${version}`;
  const loaded = useLive(
    () => get(path, modelVersionDetailSchema),
    (event) => event.kind === 'model' && event.subject === `${model}/${version}`,
    path,
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
