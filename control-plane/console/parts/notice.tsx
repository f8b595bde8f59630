import type { ApiProblem } from '../api.ts';

export function Notice({ problem }: { problem: ApiProblem | null }) {
  if (problem === null) return null;
  return (
    <p class="notice" role="alert">
      {problem.message}
      {problem.hint === undefined ? '' : ` — ${problem.hint}`}
    </p>
  );
}
