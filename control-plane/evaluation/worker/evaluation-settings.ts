// What an evaluation needs to know of a contract, and how thorough it is.

import type { ModelContract } from '#protocol/model-contract.ts';

export type EvaluatedContract = Pick<
  ModelContract,
  'inputs' | 'outputs' | 'preprocess' | 'postprocess' | 'labels'
>;

export interface EvaluationSettings {
  /** Images a run where the model takes any number. */
  readonly batch: number;
  readonly warmUpRuns: number;
  readonly latencyRuns: number;
  /** No more runs are begun after so long. */
  readonly maxLatencyMs: number;
  readonly threads?: number;
}
