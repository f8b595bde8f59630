import type { NamedDigest, ProvenanceView } from '../../view/provenance-view.ts';
import { Badge } from './badge.tsx';

/** From what a version was made of to its variants, each step with what its signature is worth. */
export function ProvenancePanel({ view }: { view: ProvenanceView }) {
  const { signature, steps, missing } = view;
  return (
    <section class="panel">
      <h2>Where it comes from</h2>
      <p>
        Authors' signature <Badge tone={signature.tone}>{signature.verdict}</Badge>
        <small>{signature.why}</small>
      </p>
      <ol class="chain">
        {steps.map(({ title, how, word, from, made, verdict, tone, why }) => (
          <li key={title} class={tone}>
            <h3>
              {title} <Badge tone={tone}>{verdict}</Badge>
            </h3>
            {how === '' ? null : <p class="prose">{how}</p>}
            <small>
              {word === '' ? null : `${word}; `}
              {why}
            </small>
            <Digests name="from" digests={from} />
            <Digests name="made" digests={made} />
          </li>
        ))}
      </ol>
      {missing.map((what) => (
        <p key={what}>
          <Badge tone="attention">broken link</Badge> {what}
        </p>
      ))}
    </section>
  );
}

function Digests({ name, digests }: { name: string; digests: readonly NamedDigest[] }) {
  if (digests.length === 0) return null;
  return (
    <dl class="digests">
      <dt>{name}</dt>
      {digests.map(({ what, title, sha256 }) => (
        <dd key={what + sha256}>
          {what} {title} <code title={sha256}>{sha256.slice(0, 12)}</code>
        </dd>
      ))}
    </dl>
  );
}
