import type { CandidateRow, ChoiceView } from '../../view/candidate-view.ts';
import { Badge } from './badge.tsx';
import { ReportDetails } from './report-details.tsx';

/** What was tried for one profile, and why it got what it got. */
export function ChoicePanel({ choice }: { choice: ChoiceView }) {
  return (
    <section class="panel">
      <h2 class="name">
        {choice.profile} <Badge tone={choice.tone}>{choice.outcome}</Badge>
      </h2>
      <table class="cards">
        <thead>
          <tr>
            <th>Candidate</th>
            <th class="number">Accuracy</th>
            <th class="number">p95</th>
            <th class="number">Time, original 1</th>
            <th class="number">Weights</th>
            <th class="number">Memory</th>
            <th>Verdict</th>
          </tr>
        </thead>
        <tbody>
          {choice.rows.map((row) => (
            <Row key={row.recipe} row={row} />
          ))}
        </tbody>
      </table>
      {choice.rows.map((row) => (
        <ReportDetails key={row.recipe} row={row} />
      ))}
    </section>
  );
}

function Row({ row }: { row: CandidateRow }) {
  return (
    <tr>
      <td data-name="Candidate">{row.recipe}</td>
      <td data-name="Accuracy" class="number">
        {row.accuracy ?? '–'}
        {row.comparison?.accuracyChange == null ? null : <small>{row.comparison.accuracyChange}</small>}
      </td>
      <td data-name="p95" class="number">
        {row.p95 ?? '–'}
        {row.measuredOn === null ? null : <small>{row.measuredOn}</small>}
      </td>
      <td data-name="Time" class="number">
        {row.ratio ?? '–'}
      </td>
      <td data-name="Weights" class="number">
        {row.size ?? '–'}
      </td>
      <td data-name="Memory" class="number">
        {row.memory ?? '–'}
      </td>
      <td data-name="Verdict" class="prose">
        <Badge tone={row.tone}>{row.verdict}</Badge>
        <small>{row.why}</small>
      </td>
    </tr>
  );
}
