import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { kernelTimeByProvider, requireProvider } from '#agent/worker/provider-check.ts';
import { create, watchOneRun } from '#agent/worker/session.ts';
import { digitsLoad } from '#test/fakes/worker-models.ts';

describe('the provider check', () => {
  it('sees in a real run that the processor did all of it, and refuses that for CUDA', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
    try {
      const session = await create(digitsLoad().weightsPath, ['cpu'], 1, join(folder, 'run'));
      const image = new ort.Tensor('float32', new Float32Array(784), [1, 1, 28, 28]);
      const timeUs = await watchOneRun(session, { image }, folder);
      expect([...timeUs.keys()]).toEqual(['CPUExecutionProvider']);
      expect(() => requireProvider('cpu', timeUs)).not.toThrow();
      expect(() => requireProvider('cuda', timeUs)).toThrow(
        expect.objectContaining({
          code: 'provider-missing',
          message: expect.stringContaining('CPUExecutionProvider 100 %') as string,
        }),
      );
      expect((await session.run({ image }))['logits']?.dims).toEqual([1, 10]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('lets a provider leave little of the time to the processor, but not most', () => {
    const event = (provider: string, dur: number) => ({ cat: 'Node', dur, args: { provider } });
    const trace = (cuda: number, cpu: number) =>
      JSON.stringify([
        { cat: 'Session', dur: 9_999 },
        event('CUDAExecutionProvider', cuda),
        event('CPUExecutionProvider', cpu),
      ]);
    expect(() => requireProvider('cuda', kernelTimeByProvider(trace(90, 10)))).not.toThrow();
    expect(() => requireProvider('cuda', kernelTimeByProvider(trace(10, 90)))).toThrow(/10 %/);
    expect(() => requireProvider('cuda', new Map())).toThrow(/no kernel/);
  });
});
