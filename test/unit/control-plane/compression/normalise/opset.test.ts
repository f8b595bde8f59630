import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeModel, encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { tensorTypes } from '#control-plane/compression/onnx/infer-types.ts';
import { makeIntAttribute, makeIntsAttribute, makeNode } from '#control-plane/compression/onnx/messages.ts';
import type { ModelProto } from '#control-plane/compression/onnx/onnx-types.ts';
import { changesOf } from '#control-plane/compression/normalise/opset-changes.ts';
import { raiseOpset } from '#control-plane/compression/normalise/opset.ts';
import { convModel, modelOf } from '../small-models.ts';
import { bytesOfOutputs, ifModel, OLD_MODELS } from './old-models.ts';

test('every change that ONNX made to an operator is known', () => {
  const path = '../../../../fixtures/onnx/operator-changes.json';
  const known = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as Record<string, number[]>;
  const listed = Object.keys(known).map((name) => [name, [...(changesOf(name)?.keys() ?? [])]] as const);
  const sorted = listed.map(([name, versions]) => [name, versions.toSorted((a, b) => a - b)]);
  expect(Object.fromEntries(sorted)).toEqual(known);
});

test.each(OLD_MODELS)('$what, from operator set $opset, gives the same bits at 17', async ({ model }) => {
  const raised = decodeModel(encodeModel(model()));
  raiseOpset(raised, 17, await tensorTypes(raised));
  expect(raised.opsetImport).toMatchObject([{ version: 17 }]);
  expect(raised.irVersion).toBe(8);
  expect(await bytesOfOutputs(raised)).toEqual(await bytesOfOutputs(model()));
});

test.each(OLD_MODELS)('$what, from operator set $opset, needs no types to be raised', async ({ model }) => {
  const raised = model();
  raiseOpset(raised, 17);
  expect(await bytesOfOutputs(raised)).toEqual(await bytesOfOutputs(model()));
});

test('a softmax over the last axis stays one node', async () => {
  const attributes = [makeIntAttribute('axis', 2)];
  const model = modelOf(
    [makeNode('Softmax', ['x'], ['y'], 's', attributes)],
    [],
    { x: [2, 3, 4] },
    { y: [2, 3, 4] },
    11,
  );
  raiseOpset(model, 13, await tensorTypes(model));
  expect(graphOf(model).node.map(({ opType }) => opType)).toEqual(['Softmax']);
});

test('nodes in branches are raised, and read constants of the graphs around', async () => {
  const raised = ifModel();
  raiseOpset(raised, 17);
  expect(await bytesOfOutputs(raised)).toEqual(await bytesOfOutputs(ifModel()));
});

test('what was made before IR version 4 keeps no initializers among its inputs', () => {
  const model = convModel(8);
  model.irVersion = 3;
  graphOf(model).input.push({ name: 'w1', metadataProps: [] });
  raiseOpset(model, 17);
  expect(graphOf(model).input.map(({ name }) => name)).toEqual(['x']);
});

test('a model that is new enough stays as it is', () => {
  const [before, after] = [convModel(18), convModel(18)];
  raiseOpset(after, 17);
  expect(after).toEqual(before);
});

const inf = Infinity;
const refused: [string, RegExp, () => ModelProto][] = [
  ['an operator set before 7', /older/, () => convModel(6)],
  [
    'a dropout whose mask is read',
    /Dropout "d" .* 9 to 10: its mask/,
    () => modelOf([makeNode('Dropout', ['x'], ['y', 'mask'], 'd')], [], { x: [2] }, { y: [2], mask: [2] }, 9),
  ],
  [
    'batch normalization that trains',
    /BatchNormalization "b" .* 13 to 14/,
    () => modelOf([makeNode('BatchNormalization', ['x'], ['y', 'mean'], 'b')], [], {}, {}, 9),
  ],
  [
    'batch normalization of each value',
    /BatchNormalization "b" .* 8 to 9/,
    () =>
      modelOf(
        [makeNode('BatchNormalization', ['x'], ['y'], 'b', [makeIntAttribute('spatial', 0)])],
        [],
        {},
        {},
        8,
      ),
  ],
  [
    'nearest pixels by scales that are not constant',
    /Resize "r" .* 10 to 11/,
    () => modelOf([makeNode('Resize', ['x', 's'], ['y'], 'r')], [], { x: [1, 1, 2, 2], s: [4] }, {}, 10),
  ],
  ['a scan of batches', /Scan "s" .* 8 to 9/, () => modelOf([makeNode('Scan', [], [], 's')], [], {}, {}, 8)],
  [
    'a clip of what may not be float32',
    /Clip "c" .* 10 to 11/,
    () =>
      modelOf(
        [
          makeNode('Cast', ['x'], ['h'], 'h', [makeIntAttribute('to', 10)]),
          makeNode('Clip', ['h'], ['y'], 'c', [{ ...makeIntsAttribute('min', []), f: -inf, type: 1 }]),
        ],
        [],
        { x: [2] },
        {},
        10,
      ),
  ],
];

test.each(refused)('%s is refused', (_, message, model) => {
  const refusal = expect.objectContaining({
    code: 'compression-failed',
    message: expect.stringMatching(message) as string,
  });
  expect(() => raiseOpset(model(), 17)).toThrow(refusal);
});
