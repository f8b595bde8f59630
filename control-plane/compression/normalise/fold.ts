// Folds constants and batch normalizations by ONNX Runtime's basic optimisation, which writes a plain ONNX graph.
// Invariant: what comes back uses no operator domain that the model did not use; runs native code (child only).

import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { InferenceSession } from 'onnxruntime-node';
import { HoldfastError } from '#protocol/errors.ts';
import { ScratchDir } from '../child/scratch-dir.ts';
import { decodeModel, graphOf } from '../onnx/codec.ts';
import type { ModelProto } from '../onnx/onnx-types.ts';
import { allNodes } from '../onnx/walk.ts';
import { mentionsTypes } from './mentioned-types.ts';

/** ONNX Runtime logs errors and worse. */
const LOG_ERRORS = 3;

/**
 * A folded copy of `model`, which is given with its bytes. Functions come back inlined; names of inputs and outputs
 * stay. Throws `model-load-failed` where ONNX Runtime does not load or write it, else `compression-failed`.
 */
export async function foldModel(model: ModelProto, bytes: Uint8Array): Promise<ModelProto> {
  if (mentionsTypes(model, ['FP16', 'BF16'])) {
    throw new HoldfastError(
      'compression-failed',
      'ONNX Runtime would write 16-bit nodes as float32 ones, since the CPU runs them so',
    );
  }
  await using scratch = await ScratchDir.create(tmpdir());
  const path = scratch.file('folded.onnx');
  await optimise(bytes, path);
  const { graph } = decodeModel(await readFile(path));
  const folded = { ...model, graph: graph ?? null, functions: [] };
  const known = new Set([...allNodes(model)].map(({ domain }) => domain ?? '').concat(''));
  for (const { domain = '', opType } of allNodes(folded)) {
    if (known.has(domain)) continue;
    throw new HoldfastError(
      'compression-failed',
      `folding made a ${opType ?? ''} of the domain "${domain}", which other runtimes may not have`,
    );
  }
  if (graphOf(folded).input.length !== graphOf(model).input.length)
    throw new HoldfastError('compression-failed', "folding changed the graph's inputs");
  return folded;
}

async function optimise(bytes: Uint8Array, optimizedModelFilePath: string): Promise<void> {
  try {
    const session = await InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'basic',
      optimizedModelFilePath,
      logSeverityLevel: LOG_ERRORS,
    });
    await session.release();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('model-load-failed', `ONNX Runtime does not optimise the model: ${message}`, {
      cause,
    });
  }
}
