import type { Evidence, Gate, Verdict } from '#protocol/evidence.ts';

const MAX_SUMMARY_CHARS = 500;

/** Evidence of a gate that needs no statistics: it was so, or it was not. */
export function hardEvidence(
  gate: Gate,
  verdict: Verdict,
  summary: string,
  atMs: number,
  numbers: Partial<Pick<Evidence, 'n' | 'k' | 'maxAbs' | 'allowedMaxAbs' | 'top1Agreement'>> = {},
): Evidence {
  return { gate, verdict, method: 'hard', summary: summary.slice(0, MAX_SUMMARY_CHARS), ...numbers, atMs };
}
