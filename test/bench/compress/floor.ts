// What our process tree holds for a model of a few hundred bytes: Node twice, ONNX Runtime, our code. What a real
// model takes is counted from here.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeModel } from '#control-plane/compression/onnx/codec.ts';
import { floatFeed } from '#control-plane/compression/tensor-feed.ts';
import { convModel, noise } from '#test/unit/control-plane/compression/small-models.ts';
import { runOurs } from './quantizers.ts';
import { writeSamples } from './sample-writer.ts';

const RUNS = 3;

/** Bytes, the highest of three runs; null where memory cannot be read. */
export async function memoryFloor(folder: string): Promise<number | null> {
  await mkdir(folder, { recursive: true });
  const job = {
    model: join(folder, 'tiny.onnx'),
    samples: join(folder, 'samples'),
    out: join(folder, 'out.onnx'),
  };
  await writeFile(job.model, encodeModel(convModel()));
  await writeSamples(job.samples, [{ x: floatFeed([1, 2, 6, 6], noise(72)) }], null);
  let floorBytes: number | null = null;
  for (let run = 0; run < RUNS; run++) {
    const { code, peakBytes, complaint } = await runOurs(job, ['--quant', 'u8s8']);
    if (code !== 0) throw new Error(`holdfast does not compress a tiny model: ${complaint}`);
    if (peakBytes !== null) floorBytes = Math.max(floorBytes ?? 0, peakBytes);
  }
  return floorBytes;
}
