import { expect, test } from 'vitest';
import { encodeModel, graphOf } from '#control-plane/compression/onnx/codec.ts';
import { differenceBetween } from '#test/bench/compress/identical.ts';
import { convModel } from '#test/unit/control-plane/compression/small-models.ts';

const changed = (change: (graph: ReturnType<typeof graphOf>) => void): Uint8Array => {
  const model = convModel();
  change(graphOf(model));
  return encodeModel(model);
};

test('the same graph does not differ', () => {
  expect(
    differenceBetween(
      changed(() => undefined),
      changed((graph) => (graph.name = 'other')),
    ),
  ).toBeNull();
});

test.each([
  ['a node of another name', (graph) => (graph.node[1]!.name = 'other'), 'node 1'],
  ['another attribute', (graph) => (graph.node[0]!.attribute[0]!.ints = [1, 1]), 'node 0'],
  ['one bit of a weight', (graph) => flip(graph.initializer[0]!.rawData!), 'initializer 0'],
  ['a node less', (graph) => graph.node.pop(), 'node'],
] satisfies [string, (graph: ReturnType<typeof graphOf>) => unknown, string][])(
  '%s differs',
  (_, change, where) => {
    const plain = changed(() => undefined);
    expect(differenceBetween(plain, changed(change))).toContain(where);
    expect(differenceBetween(changed(change), plain)).toContain(where);
  },
);

function flip(bytes: Uint8Array): void {
  bytes[0] = (bytes[0] ?? 0) ^ 1;
}
