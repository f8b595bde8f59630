// The Pareto front of candidates: those that no other one equals in everything and beats in something.

/** What a candidate is and costs; null where it is not known, or not comparable with the others'. */
export interface ParetoPoint {
  /** Share of right answers; higher is better. */
  readonly accuracy: number | null;
  readonly p95Ms: number | null;
  readonly sizeBytes: number;
  readonly memoryBytes: number | null;
}

/** Each value such that less is better. */
const COSTS: readonly ((point: ParetoPoint) => number | null)[] = [
  ({ accuracy }) => (accuracy === null ? null : -accuracy),
  ({ p95Ms }) => p95Ms,
  ({ sizeBytes }) => sizeBytes,
  ({ memoryBytes }) => memoryBytes,
];

/**
 * For each point the index of one on the front that dominates it, or null for a point of the front. A value that
 * is unknown of any point is not compared. Equal points are all on the front.
 */
export function dominators(points: readonly ParetoPoint[]): (number | null)[] {
  const costs = COSTS.filter((cost) => points.every((point) => cost(point) !== null));
  const rows = points.map((point) => costs.map((cost) => cost(point) ?? 0));
  const isBeaten = rows.map((row) => rows.some((other) => dominates(other, row)));
  return rows.map((row) => {
    const by = rows.findIndex((other, index) => isBeaten[index] === false && dominates(other, row));
    return by === -1 ? null : by;
  });
}

function dominates(left: readonly number[], right: readonly number[]): boolean {
  return (
    left.every((cost, index) => cost <= (right[index] as number)) &&
    left.some((cost, index) => cost < (right[index] as number))
  );
}
