// `holdfast compress run` beside onnxruntime's Python quantizer: the same models, the same calibration samples, the
// same machine, in turn. Every model is real, and so are its inputs.

import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ScratchDir } from '#control-plane/compression/child/scratch-dir.ts';
import type { CompressCase, CompressResults, MeasuredModel } from './compress/compress-case.ts';
import { CONFIGURATIONS } from './compress/configurations.ts';
import { memoryFloor } from './compress/floor.ts';
import { Judge } from './compress/judge/judge.ts';
import { measureCase } from './compress/measure-case.ts';
import { referenceVersions } from './compress/quantizers.ts';
import { MissingPart } from './compress/subject.ts';
import { SUBJECT_NAMES, type SubjectName } from './compress/subjects.ts';

export interface CompressOptions {
  /** Interpreter of the reference; null leaves it out. */
  readonly python: string | null;
  /** All models by default. */
  readonly models?: readonly SubjectName[];
  /** Names of configurations; all by default. */
  readonly configurations?: readonly string[];
  /** Calibration samples of each model; its own number by default. */
  readonly samples?: number;
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

export async function benchCompress(options: CompressOptions): Promise<CompressResults> {
  await using scratch = await ScratchDir.create(tmpdir());
  const reference = options.python === null ? null : referenceVersions(options.python);
  const floorBytes = await memoryFloor(scratch.file('floor'));
  const models: MeasuredModel[] = [];
  const skipped: { model: string; why: string }[] = [];
  for (const model of options.models ?? SUBJECT_NAMES) {
    try {
      models.push(await measureModel(model, scratch.file(model), options));
    } catch (error) {
      if (!(error instanceof MissingPart)) throw error;
      skipped.push({ model, why: error.message });
      options.progress(`${model}: skipped, ${error.message}`);
    }
  }
  const { rounds } = options;
  return { machine: await machine(), reference, rounds, floorBytes, models, skipped };
}

async function measureModel(
  model: SubjectName,
  folder: string,
  options: CompressOptions,
): Promise<MeasuredModel> {
  const samples = join(folder, 'samples');
  await using judge = await Judge.open({
    kind: 'open',
    subject: model,
    samples: options.samples ?? null,
    folder: samples,
  });
  const { modelPath: _, operators, ...facts } = judge.opened;
  const { python, rounds } = options;
  const cases: CompressCase[] = [];
  for (const configuration of CONFIGURATIONS) {
    const { name, needs, models = [model] } = configuration;
    if (options.configurations?.includes(name) === false || !models.includes(model)) continue;
    if (needs !== undefined && !operators.includes(needs)) continue;
    const startedAt = performance.now();
    const found = await measureCase(configuration, { model, judge, folder, samples, python, rounds });
    cases.push(found);
    options.progress(`${model}, ${name}: ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
  }
  return { model, ...facts, cases };
}

async function machine(): Promise<CompressResults['machine']> {
  const facts = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    hasVnni: /\b(avx512_vnni|avx_vnni)\b/.test(facts),
    node: process.version,
  };
}
