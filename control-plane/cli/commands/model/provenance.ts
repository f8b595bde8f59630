import { provenanceSchema } from '#protocol/provenance.ts';
import { provenanceView, type NamedDigest, type ProvenanceView } from '../../../view/provenance-view.ts';
import { verb, type AddCommand } from '../../command.ts';
import { EXIT } from '../../exit-codes.ts';
import { parseCount } from '../../parse.ts';

export const addModelProvenance: AddCommand = (noun, surroundings) =>
  verb<{ version: number }>(
    noun,
    surroundings,
    'provenance <model>',
    'where a version and its variants come from, verified link by link; exit status 1 when a link is broken',
    (command) => command.requiredOption('--version <n>', 'which version', parseCount),
    async ({ api, out, setExitCode }, { version }, model = '') => {
      const path = `/models/${encodeURIComponent(model)}/versions/${version}/provenance`;
      const provenance = await api.get(path, provenanceSchema);
      const view = provenanceView(model, version, provenance);
      out.answer(provenance, () => chainLines(view));
      const isWhole = [view.signature, ...view.steps].every(({ tone }) => tone !== 'bad');
      if (!isWhole || view.missing.length > 0) setExitCode(EXIT.badOutcome);
    },
  );

function chainLines({ signature, steps, missing }: ProvenanceView): string[] {
  return [
    ...steps.flatMap(({ title, how, word, from, made, verdict, why }) => [
      ...from.map(digestLine),
      `  |  ${how === '' ? verdict : how}`,
      ...(word === '' ? [] : [`  |  ${word}`]),
      `  v  ${verdict}: ${why}`,
      title,
      ...made.map(digestLine),
      '',
    ]),
    `authors' signature  ${signature.verdict}: ${signature.why}`,
    ...missing.map((what) => `broken: ${what}`),
  ];
}

function digestLine({ what, title, sha256 }: NamedDigest): string {
  return `  ${what}${title === '' ? '' : ` ${title}`}  ${sha256.slice(0, 12)}`;
}
