// Against what onnxruntime's Python quantizer wrote: same nodes in the same order, same initializers in the same
// order, bit for bit, in every configuration that it writes a valid model for.

import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { decodeModel, encodeModel } from '#control-plane/compression/onnx/codec.ts';
import type { ModelProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { quantizeModel } from '#control-plane/compression/quantize/qdq.ts';
import {
  ARE_OF_THIS_MACHINE,
  cellOptions,
  factsOf,
  REFERENCES,
  referenceFacts,
  referenceModel,
  referenceRanges,
  referenceSamples,
} from './reference-cells.ts';

const cells = [...REFERENCES].flatMap(([name, { cells }]) =>
  Object.keys(cells).map((cell) => [name, cell] as const),
);

function quantized(name: string, cell: string): ModelProto {
  const { options, method } = cellOptions(cell);
  const model = decodeModel(referenceModel(name));
  quantizeModel(model, referenceRanges(name, method), options);
  return decodeModel(encodeModel(model));
}

test('the reference covers every configuration of every model', () => {
  expect(cells.length).toBeGreaterThan(200);
});

test.each(cells)('%s as %s is the reference, bit for bit', (name, cell) => {
  const facts = referenceFacts(name, cell);
  expect(facts.length).toBeGreaterThan(10);
  expect(factsOf(quantized(name, cell))).toEqual(facts);
});

test.each(cells.filter(([name, cell]) => REFERENCES.get(name)?.cells[cell]?.outputs !== undefined))(
  '%s as %s says what the reference says',
  async (name, cell) => {
    const session = await InferenceSession.create(encodeModel(quantized(name, cell)), {
      graphOptimizationLevel: 'disabled',
      logSeverityLevel: 3,
    });
    const [sample = {}] = referenceSamples(name);
    const feeds = Object.entries(sample).map(([input, { shape, data }]) => {
      return [input, new Tensor('float32', new Float32Array(Uint8Array.from(data).buffer), shape)] as const;
    });
    const results = await session.run(Object.fromEntries(feeds));
    await session.release();
    for (const [output, expected] of Object.entries(REFERENCES.get(name)?.cells[cell]?.outputs ?? {})) {
      const values = results[output]?.data as Float32Array;
      expect(values.length).toBe(expected.length);
      // Another processor may round a sum otherwise, and by that a value to the next quantized one.
      const slack = ARE_OF_THIS_MACHINE ? 0 : 0.02 * Math.max(...expected.map(Math.abs));
      expected.forEach((value, index) => {
        expect(Math.abs((values[index] as number) - value)).toBeLessThanOrEqual(slack);
      });
    }
  },
);
