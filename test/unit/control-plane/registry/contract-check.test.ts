import { describe, expect, it } from 'vitest';
import { assertContractMatches, type GraphSignature } from '#control-plane/registry/contract-check.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import { digits } from './registry-world.ts';

const { contract } = await digits();
const graph: GraphSignature = {
  inputs: [{ name: 'image', dtype: 'FP32', shape: [-1, 1, 28, 28] }],
  outputs: [{ name: 'logits', dtype: 'FP32', shape: [-1, 10] }],
};
const withInput = (change: Partial<ModelContract['inputs'][number]>): ModelContract => ({
  ...contract,
  inputs: contract.inputs.map((input) => ({ ...input, ...change })),
});

describe('a contract', () => {
  it('matches the graph it describes', () => {
    expect(() => assertContractMatches(contract, graph)).not.toThrow();
  });

  it('may narrow a dimension that the graph leaves open', () => {
    expect(() => assertContractMatches(withInput({ shape: [1, 1, 28, 28] }), graph)).not.toThrow();
  });

  it('may leave the labels out', () => {
    expect(() => assertContractMatches({ ...contract, labels: [] }, graph)).not.toThrow();
  });

  it('may give a shape where the file states none', () => {
    const shapeless = { ...graph, inputs: [{ name: 'image', dtype: 'FP32', shape: null }] };
    expect(() => assertContractMatches(contract, shapeless)).not.toThrow();
  });

  it.each([
    [
      'labels for other classes',
      { ...contract, labels: ['a', 'b'] },
      'has 10 classes, the contract 2 labels',
    ],
    ['another input name', withInput({ name: 'pixels' }), 'no input "pixels"; it has image'],
    ['another dtype', withInput({ dtype: 'UINT8' }), 'FP32 in the model, UINT8 in the contract'],
    ['another rank', withInput({ shape: [-1, 28, 28] }), '[-1, 28, 28] in the contract'],
    ['another fixed dimension', withInput({ shape: [-1, 3, 28, 28] }), '[-1, 3, 28, 28] in the contract'],
    ['an open dimension that the graph fixes', withInput({ shape: [-1, -1, 28, 28] }), '[-1, -1, 28, 28]'],
    [
      'an input too many',
      { ...contract, inputs: [...contract.inputs, ...contract.inputs] },
      'declared twice',
    ],
    ['an output too few', { ...contract, outputs: [] }, 'does not declare the output "logits"'],
  ])('with %s is refused, saying which', (_what, wrong, said) => {
    expect(() => assertContractMatches(wrong, graph)).toThrow(
      expect.objectContaining({
        code: 'contract-mismatch',
        message: expect.stringContaining(said) as string,
      }),
    );
  });
});
