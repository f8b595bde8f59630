// What the benchmark asks of the process that runs models, and what it answers.

import type { LatencyRatio } from '#control-plane/evaluation/pair-statistics.ts';
import type { SubjectName } from '../subjects.ts';

export type JudgeRequest =
  | {
      readonly kind: 'open';
      readonly subject: SubjectName;
      readonly samples: number | null;
      /** Where the calibration samples are written; the float model goes beside it. */
      readonly folder: string;
    }
  | { readonly kind: 'judge'; readonly path: string };

export interface Opened {
  /** The float model that both quantizers are given. */
  readonly modelPath: string;
  readonly sizeBytes: number;
  readonly samples: number;
  readonly metric: string;
  /** Of the float model, 0 to 1. */
  readonly score: number;
  /** One sample with everything that the float model computes of it. */
  readonly batchBytes: number;
  /** Operators of the float model, those inside others' bodies left out. */
  readonly operators: readonly string[];
}

export interface Judged {
  readonly score: number;
  /** Worst float output over all judged samples, dB; null where none differs. */
  readonly sqnrDb: number | null;
  /** Against the float model, over calibration samples. */
  readonly latency: LatencyRatio;
}

export type JudgeAnswer =
  | { readonly value: Opened | Judged }
  | { readonly missing: string }
  | { readonly failed: string };
