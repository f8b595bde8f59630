// Hostile ONNX models that are sound to look at, given to compression: the child process that runs them is ended by
// its bound of memory or of time, and leaves nothing.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { compressForProfile } from '#control-plane/compression/compress.ts';
import { floatFeed } from '#control-plane/compression/tensor-feed.ts';
import { errorCodeOf } from '#protocol/errors.ts';
import { hostileBytes, hostileRows, nameOf } from './corpus.ts';
import { ONNX_MODELS } from './onnx-models.ts';

const LIMITS = { timeoutMs: 15_000, memoryBytes: 1024 ** 3 };

test.each(hostileRows('onnx', 'compression').map((row) => [nameOf(row), row] as const))(
  '%s',
  { timeout: 60_000 },
  async (_name, row) => {
    const scratchRoot = await mkdtemp(join(tmpdir(), 'holdfast-hostile-'));
    onTestFinished(() => rm(scratchRoot, { recursive: true }));
    const made = compressForProfile({
      weights: hostileBytes('onnx', row, ONNX_MODELS),
      recipe: {
        kind: 'static-int8',
        activation: 'u8',
        symmetric: false,
        floatBias: false,
        perChannel: true,
        reduceRange: true,
        calibration: { method: 'minmax', samples: 1 },
      },
      calibration: [{ x: floatFeed([1], Float32Array.of(1)) }],
      limits: LIMITS,
      scratchRoot,
    });
    expect(await made.then(() => 'made', errorCodeOf)).toBe(row.code);
    expect(await readdir(scratchRoot)).toEqual([]);
  },
);
