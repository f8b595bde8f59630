import { describe, expect, it } from 'vitest';
import { compressedTolerance, inspectGolden } from '#control-plane/registry/golden-vectors.ts';
import { loadProfiles } from '#control-plane/registry/profiles.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import { encodeSafetensors, type SafeTensor } from '#protocol/safetensors.ts';
import { digits } from './registry-world.ts';

const real = await digits();
const contract: ModelContract = { ...real.contract, golden: { ...real.contract.golden, count: 2 } };

const image: SafeTensor = { dtype: 'U8', shape: [3], data: new Uint8Array([1, 2, 3]) };
const floats = (values: number[], shape = [values.length]): SafeTensor => ({
  dtype: 'F32',
  shape,
  data: new Uint8Array(Float32Array.from(values).buffer),
});
const logits = (first: number): number[] => [first, 0, 0, 0, 0, 0, 0, 0, 0, -1];
const good = {
  'input.0': image,
  'input.1': image,
  'output.0.logits': floats(logits(4)),
  'output.1.logits': floats(logits(9), [1, 10]),
};
const without = (name: keyof typeof good) =>
  Object.fromEntries(Object.entries(good).filter(([key]) => key !== name));

describe('golden vectors', () => {
  it('of the committed digit reader fit its contract', () => {
    const { widestRange } = inspectGolden(real.golden, real.contract);
    expect(widestRange).toBeGreaterThan(5);
    expect(widestRange).toBeLessThan(100);
  });

  it('are measured from the smallest to the largest expected value', () => {
    expect(inspectGolden(encodeSafetensors(good), contract).widestRange).toBe(10);
  });

  it.each([
    ['a missing input', without('input.1'), '"input.1" is missing'],
    ['a missing output', without('output.1.logits'), '"output.1.logits" is missing'],
    ['an input that is no encoded image', { ...good, 'input.0': floats([1]) }, '"input.0"'],
    ['an output of another shape', { ...good, 'output.0.logits': floats([1, 2]) }, '[2]'],
    ['an output that is not finite', { ...good, 'output.0.logits': floats(logits(NaN)) }, 'not finite'],
    ['more vectors than declared', { ...good, 'input.2': image }, '"input.2"'],
    ['an unknown output', { ...good, 'output.0.other': floats([1]) }, '"output.0.other"'],
  ])('with %s are refused', (_what, tensors: Record<string, SafeTensor>, said) => {
    expect(() => inspectGolden(encodeSafetensors(tensors), contract)).toThrow(
      expect.objectContaining({ code: 'golden-invalid', message: expect.stringContaining(said) as string }),
    );
  });

  it('that are no safetensors file are refused', () => {
    expect(() => inspectGolden(new Uint8Array(20), contract)).toThrow(
      expect.objectContaining({ code: 'golden-invalid' }),
    );
  });

  it('of a model without image pre-processing hold one tensor a model input', () => {
    const plain: ModelContract = { ...contract, preprocess: { kind: 'none' } };
    const pixels = floats(
      Array.from({ length: 784 }, () => 0),
      [1, 1, 28, 28],
    );
    const outputs = {
      'output.0.logits': good['output.0.logits'],
      'output.1.logits': good['output.1.logits'],
    };
    const named = { 'input.0.image': pixels, 'input.1.image': pixels, ...outputs };
    expect(inspectGolden(encodeSafetensors(named), plain).widestRange).toBe(10);
    expect(() => inspectGolden(encodeSafetensors(good), plain)).toThrow('"input.0.image" is missing');
  });
});

describe('the tolerance of a compressed variant', () => {
  it("is the profile's share of the range, but never stricter than the author's", async () => {
    const profile = (await loadProfiles()).get('x86-cpu-vnni');
    if (profile === undefined) throw new Error('no profile');
    expect(compressedTolerance(contract, { widestRange: 20 }, profile)).toEqual({
      maxAbs: 20 * profile.compressedTolerance.maxRangeShare,
      minTop1Agreement: profile.compressedTolerance.minTop1Agreement,
    });
    expect(compressedTolerance(contract, { widestRange: 0 }, profile).maxAbs).toBe(
      contract.golden.tolerance.maxAbs,
    );
  });
});
