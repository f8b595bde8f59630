// Calibration run by ourselves on the samples that the reference was calibrated on. Ranges are the same to the bit
// on the processor that made the fixtures (test/build/check-quantize-fixtures.ts makes them again and asks for
// that); another one may round sums otherwise, but not the inputs, nor the products of `outer`.

import { expect, test } from 'vitest';
import { decodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { calibrate } from '#control-plane/compression/quantize/static-int8.ts';
import { contextOf } from '../running.ts';
import {
  ARE_OF_THIS_MACHINE,
  REFERENCES,
  referenceModel,
  referenceRanges,
  referenceSamples,
  type Method,
} from './reference-cells.ts';

const METHODS: readonly Method[] = ['minmax', 'percentile', 'entropy'];
const cells = [...REFERENCES.keys()].flatMap((name) => METHODS.map((method) => [name, method] as const));
const PRODUCTS = ['o', 'i'];
/** Share of a range by which its ends may differ on another processor. */
const ROUNDING = 1e-6;

test.each(cells)('%s has the ranges of the reference by %s', async (name, method) => {
  const samples = referenceSamples(name);
  const model = decodeModel(referenceModel(name));
  const { context } = contextOf(samples);
  const ranges = await calibrate(model, { method, samples: samples.length }, context);
  const expected = referenceRanges(name, method);
  expect([...ranges.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
  const exact = new Set([
    ...graphOf(model).input.map((value) => value.name),
    ...(name === 'outer' ? PRODUCTS : []),
  ]);
  for (const [tensor, { min, max }] of expected) {
    const range = ranges.get(tensor) ?? { min: Number.NaN, max: Number.NaN };
    if (ARE_OF_THIS_MACHINE || exact.has(tensor)) {
      expect({ tensor, ...range }).toEqual({ tensor, min, max });
    } else {
      expect(Math.abs(range.min - min), tensor).toBeLessThanOrEqual((max - min) * ROUNDING);
      expect(Math.abs(range.max - max), tensor).toBeLessThanOrEqual((max - min) * ROUNDING);
    }
  }
});
