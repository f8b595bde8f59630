import type { RolloutDeviceRow } from '../../view/rollout-view.ts';
import { Badge } from './badge.tsx';

type Evidence = RolloutDeviceRow['evidence'];

/** What each gate saw: what did not pass is open, what passed is folded away. */
export function EvidenceList({ evidence }: { evidence: Evidence }) {
  const passed = evidence.filter((one) => one.verdict === 'pass');
  return (
    <>
      <Items evidence={evidence.filter((one) => one.verdict !== 'pass')} />
      {passed.length === 0 ? null : (
        <details>
          <summary>{`${passed.length} gates passed`}</summary>
          <Items evidence={passed} />
        </details>
      )}
    </>
  );
}

function Items({ evidence }: { evidence: Evidence }) {
  if (evidence.length === 0) return null;
  return (
    <ul class="evidence">
      {evidence.map((one, index) => (
        <li key={index}>
          <Badge tone={one.tone}>{`${one.gate} ${one.verdict}`}</Badge>
          <span>{one.summary}</span>
        </li>
      ))}
    </ul>
  );
}
