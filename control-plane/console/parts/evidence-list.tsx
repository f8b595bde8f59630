import type { RolloutDeviceRow } from '../../view/rollout-view.ts';
import { Badge } from './badge.tsx';

/** What each gate saw, with its verdict and numbers. */
export function EvidenceList({ evidence }: { evidence: RolloutDeviceRow['evidence'] }) {
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
