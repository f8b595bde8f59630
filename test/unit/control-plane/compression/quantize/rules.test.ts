import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quantizeBias, raiseWeightScales } from '#control-plane/compression/quantize/bias.ts';
import { channelCount, forEachRun } from '#control-plane/compression/quantize/channels.ts';
import type { QuantOptions } from '#control-plane/compression/quantize/quant-options.ts';
import { activationParams, constantParams } from '#control-plane/compression/quantize/quant-params.ts';
import { quantizeValues } from '#control-plane/compression/quantize/quantize-values.ts';
import { roundHalfEven } from '#control-plane/compression/quantize/rounding.ts';
import { quantLimits, scaleOf } from '#control-plane/compression/quantize/scale.ts';
import { noise } from '../small-models.ts';

const options: QuantOptions = {
  activation: 'u8',
  symmetric: false,
  floatBias: false,
  perChannel: true,
  reduceRange: false,
  exclude: new Set(),
};
const finite = fc.float({ noNaN: true, min: -1000, max: 1000 });

test.each([
  [0.5, 0], [1.5, 2], [2.5, 2], [-0.5, 0], [-1.5, -2], [-2.5, -2], [2.4999, 2], [2.5001, 3], [7, 7],
])('%d rounds to %d', (value, rounded) => {
  expect(roundHalfEven(value)).toBeCloseTo(rounded, 10);
}); // prettier-ignore

test('a range is widened to hold 0 and its ends come back within half a step', () => {
  fc.assert(
    fc.property(finite, finite, fc.constantFrom('u8' as const, 's8' as const), (a, b, type) => {
      const range = { min: Math.min(a, b), max: Math.max(a, b) };
      const limits = quantLimits(type, { symmetric: false, reduced: false });
      const { scale, zeroPoint } = scaleOf(range, limits, false);
      expect(zeroPoint).toBeGreaterThanOrEqual(limits[0]);
      expect(zeroPoint).toBeLessThanOrEqual(limits[1]);
      const back = (real: number) =>
        scale * (Math.max(limits[0], Math.min(limits[1], Math.round(real / scale) + zeroPoint)) - zeroPoint);
      for (const end of [range.min, range.max, 0])
        expect(Math.abs(back(end) - end)).toBeLessThanOrEqual(scale * 0.51);
      expect(back(0)).toBeCloseTo(0, 12);
    }),
  );
});

test('a symmetric range has zero point 0 and uses -127 to 127, or -64 to 64 reduced', () => {
  const full = quantLimits('s8', { symmetric: true, reduced: false });
  const reduced = quantLimits('s8', { symmetric: true, reduced: true });
  expect(scaleOf({ min: -1, max: 127 }, full, true)).toEqual({ scale: 1, zeroPoint: 0 });
  expect(scaleOf({ min: -1, max: 64 }, reduced, true)).toEqual({ scale: 1, zeroPoint: 0 });
});

test('a range of nothing but 0, or too small to divide by, has scale 1', () => {
  for (const max of [0, 1e-40])
    expect(scaleOf({ min: 0, max }, [0, 255], false)).toEqual({ scale: 1, zeroPoint: 0 });
});

test('activations of a Relu use the whole of u8 and s8 from their lowest value', () => {
  const range = { min: 0, max: 255 };
  expect([...activationParams(range, options).zeroPoints]).toEqual([0]);
  expect([...activationParams(range, { ...options, activation: 's8' }).zeroPoints]).toEqual([-128]);
});

test('runs cover every value once, under the channel it belongs to', () => {
  const dims = [2, 3, 4];
  const channels = new Int32Array(24).fill(-1);
  forEachRun(dims, 1, (channel, start, end) => channels.fill(channel, start, end));
  const expected = Array.from({ length: 24 }, (_, at) => Math.floor(at / 4) % 3);
  expect([...channels]).toEqual(expected);
  expect(channelCount(dims, 1)).toBe(3);
  expect(channelCount(dims, null)).toBe(1);
});

test('each channel of a weight has a scale of its own and keeps its largest value', () => {
  const values = Float32Array.of(1, -2, 0.5, 10, 20, -40);
  const params = constantParams(values, [2, 3], { kind: 'weight', axis: 0 }, options);
  expect([...params.scales]).toEqual([Math.fround(2 / 127), Math.fround(40 / 127)]);
  expect([...quantizeValues(values, [2, 3], params)]).toEqual([64, -127, 32, 32, 64, -127]);
});

test('a constant at an element-wise operator is quantized as an activation', () => {
  const params = constantParams(Float32Array.of(0, 2.55), [2], { kind: 'activation', axis: null }, options);
  expect(params.type).toBe('u8');
  expect([...params.zeroPoints]).toEqual([0]);
});

test('quantized values never leave the type, whatever the scale', () => {
  fc.assert(
    fc.property(
      fc.array(finite, { minLength: 1, maxLength: 50 }),
      fc.float({ min: 2 ** -20, max: 1, noNaN: true }),
      (list, scale) => {
        const values = Float32Array.from(list);
        const params = {
          type: 's8' as const,
          scales: Float32Array.of(scale),
          zeroPoints: Int32Array.of(3),
          axis: null,
        };
        const quantized = quantizeValues(values, [values.length], params);
        values.forEach((value, at) => {
          const ideal = Math.max(-128, Math.min(127, value / Math.fround(scale) + 3));
          expect(Math.abs((quantized[at] as number) - ideal)).toBeLessThanOrEqual(0.51);
        });
      },
    ),
  );
});

test('a bias comes back within half a step of input scale times weight scale', () => {
  const values = noise(4);
  const weightScales = Float32Array.of(0.01, 0.02, 0.03, 0.04);
  const quantized = quantizeBias(values, [4], 0.5, weightScales, 1);
  expect(quantized?.axis).toBe(0);
  values.forEach((value, at) => {
    const scale = quantized?.scales[at] as number;
    expect(scale).toBeCloseTo(0.5 * (weightScales[at] as number), 7);
    expect(Math.abs((quantized?.values[at] as number) * scale - value)).toBeLessThanOrEqual(scale / 2 + 1e-9);
  });
});

test('a bias of rank 2 has its channels along the last axis', () => {
  const quantized = quantizeBias(noise(6), [2, 3], 1, Float32Array.of(0.1, 0.2, 0.3), 1);
  expect(quantized?.axis).toBe(1);
});

test('a bias that does not have one value a channel stays in float', () => {
  expect(quantizeBias(noise(1), [1], 1, Float32Array.of(0.1, 0.2, 0.3), 1)).toBeNull();
});

test('weight scales grow until the bias fits int32, and only then', () => {
  const scales = Float32Array.of(1e-9, 1);
  raiseWeightScales(scales, true, 1e-3, Float32Array.of(100, 100));
  expect(100 / (1e-3 * (scales[0] as number))).toBeLessThan(2 ** 31);
  expect(100 / (1e-3 * (scales[0] as number))).toBeGreaterThan(2 ** 30.9);
  expect(scales[1]).toBe(1);
});
