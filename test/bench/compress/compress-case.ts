// What was measured of one model in one configuration.

import type { LatencyRatio } from '#control-plane/evaluation/pair-statistics.ts';

/** One way to the compressed model, and what came of it. */
export type Side =
  | {
      readonly made: true;
      /** Median over the rounds, process start included. */
      readonly seconds: number;
      /** Highest over the rounds, of the whole process tree; null where it cannot be read. */
      readonly peakBytes: number | null;
      readonly sizeBytes: number;
      /** By the model's metric, 0 to 1. */
      readonly score: number;
      /** Worst output, dB; null where nothing differs. */
      readonly sqnrDb: number | null;
      /** Against the float model, as a share of its latency. */
      readonly latency: LatencyRatio;
    }
  | { readonly made: false; readonly why: string };
export type MadeSide = Extract<Side, { made: true }>;

export interface CompressCase {
  readonly model: string;
  readonly configuration: string;
  readonly ours: Side;
  /** Null where the reference was not run, or knows nothing like it. */
  readonly theirs: Side | null;
  /** Our seconds over theirs, round by round, the median; null without a reference. */
  readonly secondsRatio: number | null;
  /** Whether ours is theirs to the bit; null where it need not be, or one of them is missing. */
  readonly isIdentical: boolean | null;
  /** The first difference, in words. */
  readonly difference: string | null;
}

export interface MeasuredModel {
  readonly model: string;
  readonly metric: string;
  readonly sizeBytes: number;
  readonly samples: number;
  /** One sample with everything that the model computes of it. */
  readonly batchBytes: number;
  /** Of the float model. */
  readonly score: number;
  readonly cases: readonly CompressCase[];
}

export interface CompressResults {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly hasVnni: boolean;
    readonly node: string;
  };
  /** Versions of the reference; null where no interpreter was given. */
  readonly reference: Readonly<Record<string, string>> | null;
  readonly rounds: number;
  /** What our processes hold for a model of a few hundred bytes; null where it cannot be read. */
  readonly floorBytes: number | null;
  readonly models: readonly MeasuredModel[];
  readonly skipped: readonly { readonly model: string; readonly why: string }[];
}
