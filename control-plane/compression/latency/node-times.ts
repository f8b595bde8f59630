// Where a model's time goes: the time of each node that ONNX Runtime runs, after its own fusions, from its
// profiler's trace. Only good for ranking: the profiler slows small nodes. Only child processes call this.

import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { z } from 'zod';
import { ScratchDir } from '../child/scratch-dir.ts';
import { openSession, toOrtFeeds } from '../ort-session.ts';
import type { TensorFeed } from '../tensor-feed.ts';

export interface NodeTime {
  /** ONNX Runtime's name of the node: that of a node or a tensor of the model and a suffix. */
  readonly name: string;
  readonly opType: string;
  /** Shortest of the runs, microseconds. */
  readonly timeUs: number;
}

/** Runs that are traced: until the time is up, within these. */
const MIN_RUNS = 5;
const MAX_RUNS = 25;
const TRACE_MS = 2_000;
const SUFFIX = '_kernel_time';
const traceSchema = z.array(
  z.object({
    cat: z.string(),
    name: z.string(),
    dur: z.number().min(0).optional(),
    args: z.object({ op_name: z.string().optional() }).optional(),
  }),
);

/** Throws `model-load-failed` or `dataset-invalid`. */
export async function nodeTimes(model: Uint8Array, feed: TensorFeed): Promise<NodeTime[]> {
  await using scratch = await ScratchDir.create(tmpdir());
  await using opened = await openSession(model, { optimise: true, profilePrefix: scratch.file('trace') });
  const inputs = toOrtFeeds(opened.session, feed);
  const startedAt = performance.now();
  for (let run = 0; run < MAX_RUNS; run++) {
    if (run >= MIN_RUNS && performance.now() - startedAt > TRACE_MS) break;
    await opened.session.run(inputs);
  }
  opened.session.endProfiling();
  const [trace] = await readdir(scratch.path);
  if (trace === undefined) return [];
  return shortest(traceSchema.parse(JSON.parse(await readFile(scratch.file(trace), 'utf8'))));
}

function shortest(trace: z.infer<typeof traceSchema>): NodeTime[] {
  const times = new Map<string, NodeTime>();
  for (const { cat, name, dur, args } of trace) {
    if (cat !== 'Node' || !name.endsWith(SUFFIX) || dur === undefined) continue;
    const node = name.slice(0, -SUFFIX.length);
    const timeUs = Math.min(dur, times.get(node)?.timeUs ?? Infinity);
    times.set(node, { name: node, opType: args?.op_name ?? '', timeUs });
  }
  return [...times.values()];
}
