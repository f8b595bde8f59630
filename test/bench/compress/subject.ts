// What a benchmark of compression needs of a model: the file, real inputs to calibrate on, and others to judge by.

import type { InferenceSession } from 'onnxruntime-node';
import type { TensorFeed } from '#control-plane/compression/tensor-feed.ts';

export type Outputs = InferenceSession.ReturnType;

/** Points won of points there were; sums over samples give the score. */
export interface Points {
  readonly won: number;
  readonly of: number;
}

export interface JudgedSample {
  readonly feed: TensorFeed;
  /** What a model's outputs are worth; `float` are the original's. */
  judge(outputs: Outputs, float: Outputs): Points;
}

export interface Subject {
  readonly weightsPath: string;
  readonly calibration: readonly TensorFeed[];
  /** The right class of each calibration sample; null where there is none. */
  readonly labels: readonly number[] | null;
  readonly judged: readonly JudgedSample[];
  /** What the score says, in words. */
  readonly metric: string;
  /** Pairs of runs that a latency ratio is taken from. */
  readonly latencyPairs: number;
}

/** Why a model cannot be measured on this machine, and how to mend it. */
export class MissingPart extends Error {}
