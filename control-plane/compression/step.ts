// What every step of a compression is given. Steps run inside the killable child process, one after another, on
// one model; a step that edits works in place and leaves a model that ONNX Runtime loads.

import type { JobProgress } from './child/job-messages.ts';
import type { TensorFeed } from './tensor-feed.ts';

export interface StepContext {
  /** Real inputs of the model; may be iterated any number of times, and are read again from disk each time. */
  readonly samples: AsyncIterable<TensorFeed>;
  readonly sampleCount: number;
  /** The right class of each sample, in order; null when the samples have none. */
  readonly labels: readonly number[] | null;
  readonly progress: (progress: JobProgress) => void;
  /** Puts a decision, in plain words, into the report. */
  readonly note: (text: string) => void;
}
