// What a gate saw and decided: the numbers behind every verdict, as they travel and are shown.

import { z } from 'zod';
import { timestampMsSchema } from './identifiers.ts';

export const verdictSchema = z.enum(['pass', 'fail', 'inconclusive']);
export type Verdict = z.infer<typeof verdictSchema>;

/** Names of the gates a deployment meets, in order. */
export const gateSchema = z.enum([
  'metadata', 'preflight', 'digest', 'load', 'warm-up', 'golden', 'finite', 'latency', 'errors', 'disagreement', 'probation',
]); // prettier-ignore
export type Gate = z.infer<typeof gateSchema>;

const finite = z.number();

export const evidenceSchema = z.strictObject({
  gate: gateSchema,
  verdict: verdictSchema,
  /** How it was decided: no statistics, a betting e-process, or Wald's SPRT. */
  method: z.enum(['hard', 'e-process', 'sprt']),
  /** One sentence with the numbers, for people. */
  summary: z.string().max(500),
  /** Observations and those that speak against the candidate. */
  n: z.int().min(0).optional(),
  k: z.int().min(0).optional(),
  /** log10 of the e-value or likelihood ratio against the candidate, and the bound it is held to. */
  log10E: finite.optional(),
  log10Threshold: finite.optional(),
  /** Medians over the pairs, in ms, and candidate over baseline. */
  baselineP50Ms: finite.optional(),
  candidateP50Ms: finite.optional(),
  ratio: finite.optional(),
  /** Largest golden difference in the output's unit and what was allowed; share of agreeing top-1. */
  maxAbs: finite.optional(),
  allowedMaxAbs: finite.optional(),
  top1Agreement: finite.optional(),
  atMs: timestampMsSchema,
});
export type Evidence = z.infer<typeof evidenceSchema>;
