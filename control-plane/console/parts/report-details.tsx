import type { ComponentChildren } from 'preact';
import type { CandidateRow, NamedValue, OperatorRow } from '../../view/candidate-view.ts';

/** What a compression did and what came of it, folded away; nothing for a candidate that has no report. */
export function ReportDetails({ row: { recipe, report, comparison } }: { row: CandidateRow }) {
  if (report === null) return null;
  return (
    <details>
      <summary>{recipe}: layers, operators, samples</summary>
      <div class="reports">
        <Part name="Weights">{report.size}</Part>
        <Values name="Signal to noise of each output" values={report.outputs} />
        <Values name="Noisiest layers" values={report.worstLayers} />
        <Values name="Classes that changed" values={comparison?.classes ?? []} />
        <Operators rows={report.operators} />
        {report.leftInFloat === null ? null : <Part name="Left in float">{report.leftInFloat}</Part>}
        <Lines name="Decided on the way" lines={report.notes} />
        <Lines name="Samples answered differently" lines={comparison?.examples ?? []} />
      </div>
    </details>
  );
}

function Part({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <section>
      <h3>{name}</h3>
      {children}
    </section>
  );
}

function Values({ name, values }: { name: string; values: readonly NamedValue[] }) {
  if (values.length === 0) return null;
  return (
    <Part name={name}>
      <table class="plain">
        <tbody>
          {values.map((one) => (
            <tr key={one.name}>
              <td class="prose">{one.name}</td>
              <td class="number">{one.value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Part>
  );
}

function Operators({ rows }: { rows: readonly OperatorRow[] }) {
  return (
    <Part name="Operators before and after">
      <table class="plain">
        <tbody>
          {rows.map(({ operator, before, after }) => (
            <tr key={operator}>
              <td class="prose">{operator}</td>
              <td class="number">{before}</td>
              <td class="number">{after}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Part>
  );
}

function Lines({ name, lines }: { name: string; lines: readonly string[] }) {
  if (lines.length === 0) return null;
  return (
    <Part name={name}>
      <ul>
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </Part>
  );
}
