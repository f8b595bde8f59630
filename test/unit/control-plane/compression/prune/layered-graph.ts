// Builds small convolutional graphs block by block, as exporters write them, from a list of block names.

import { makeIntAttribute, makeIntsAttribute, makeNode } from '#control-plane/compression/onnx/messages.ts';
import type {
  AttributeProto,
  ModelProto,
  NodeProto,
  TensorProto,
} from '#control-plane/compression/onnx/onnx-types.ts';
import { floatTensor, int64Tensor } from '#control-plane/compression/onnx/tensor-data.ts';
import type { StepContext } from '#control-plane/compression/step.ts';
import { floatFeed, type TensorFeed } from '#control-plane/compression/tensor-feed.ts';
import { modelOf, noise } from '../small-models.ts';

export const BLOCKS = [
  'conv', 'pointwise', 'depthwise', 'grouped', 'residual', 'inverted', 'gate', 'concat', 'split', 'prelu', 'norm',
  'pool', 'resize', 'transposed', 'pad', 'scale', 'erf',
] as const; // prettier-ignore
export type Block = (typeof BLOCKS)[number];
export const HEADS = ['pooled', 'flattened', 'reshaped', 'matmul', 'open'] as const;
export type Head = (typeof HEADS)[number];

const SIZE = 6;

export class LayeredGraph {
  readonly #nodes: NodeProto[] = [];
  readonly #constants: TensorProto[] = [];
  #tensor = 'x';
  #channels = 3;
  #seed = 7;

  add(block: Block): this {
    const c = this.#channels;
    switch (block) {
      case 'conv':
        this.conv(c + 2, 3);
        this.node('Relu', []);
        break;
      case 'pointwise':
        this.conv(c + 1, 1);
        break;
      case 'depthwise':
        this.conv(c, 3, c);
        break;
      case 'grouped':
        this.conv(6, 1);
        this.conv(4, 3, 2);
        break;
      case 'residual': {
        const before = this.#tensor;
        this.conv(c + 1, 3);
        this.node('Relu', []);
        this.conv(c, 1);
        this.node('Add', [before]);
        break;
      }
      case 'inverted':
        this.conv(c * 2, 1);
        this.node('HardSwish', []);
        this.conv(c * 2, 3, c * 2);
        this.node('HardSwish', []);
        this.conv(c + 1, 1);
        break;
      case 'gate': {
        const before = this.#tensor;
        this.node('GlobalAveragePool', []);
        this.conv(4, 1);
        this.node('Relu', []);
        this.conv(c, 1);
        this.node('Sigmoid', []);
        this.node('Mul', [before]);
        break;
      }
      case 'concat': {
        const before = this.#tensor;
        this.conv(3, 3);
        this.node('Concat', [before], [makeIntAttribute('axis', 1)]);
        this.#channels = c + 3;
        break;
      }
      case 'split':
        this.conv(6, 1);
        this.split([2, 4]);
        break;
      case 'prelu':
        this.node('PRelu', [this.constant([c, 1, 1])]);
        break;
      case 'norm':
        this.node('BatchNormalization', [
          this.constant([c]),
          this.constant([c]),
          this.constant([c]),
          this.constant([c], 1),
        ]);
        break;
      case 'pool':
        this.node(
          'MaxPool',
          [],
          [makeIntsAttribute('kernel_shape', [3, 3]), makeIntsAttribute('pads', [1, 1, 1, 1])],
        );
        break;
      case 'resize': {
        const sizes = this.integers([1, c, SIZE, SIZE]);
        this.node('Resize', ['', '', sizes]);
        break;
      }
      case 'transposed':
        this.transposed(c + 1);
        break;
      case 'pad':
        this.node('Pad', [this.integers([0, 0, 1, 0, 0, 0, -1, 0])]);
        break;
      case 'scale':
        this.node('Mul', [this.constant([1, c, 1, 1])]);
        break;
      case 'erf':
        this.node('Erf', []);
    }
    return this;
  }

  build(head: Head): ModelProto {
    const c = this.#channels;
    const spatial = SIZE * SIZE;
    if (head === 'pooled') {
      this.node('GlobalAveragePool', []);
      this.node('Flatten', []);
      this.gemm(c, 5);
    } else if (head === 'flattened') {
      this.node('Flatten', []);
      this.gemm(c * spatial, 5);
    } else if (head === 'reshaped') {
      this.node('Reshape', [this.integers([-1, c * spatial])]);
      this.gemm(c * spatial, 5);
    } else if (head === 'matmul') {
      this.node('ReduceMean', [], [makeIntsAttribute('axes', [2, 3]), makeIntAttribute('keepdims', 0)]);
      this.node('MatMul', [this.constant([c, 5])]);
      this.node('Add', [this.constant([5])]);
    }
    const nodes = this.#nodes.map((node, index) =>
      index < this.#nodes.length - 1 ? node : { ...node, output: ['y'] },
    );
    const shape = head === 'open' ? [1, c, SIZE, SIZE] : [1, 5];
    return modelOf(nodes, this.#constants, { x: [1, 3, SIZE, SIZE] }, { y: shape });
  }

  /** Appends a node that reads the tensor so far and then `others`. */
  node(opType: string, others: readonly string[], attributes: AttributeProto[] = []): void {
    const output = `t${this.#nodes.length}`;
    this.#nodes.push(
      makeNode(opType, [this.#tensor, ...others], [output], `${opType}_${output}`, attributes),
    );
    this.#tensor = output;
  }

  conv(channels: number, kernel: number, groups = 1): void {
    const weight = this.constant([channels, this.#channels / groups, kernel, kernel]);
    const pads = kernel === 3 ? [1, 1, 1, 1] : [0, 0, 0, 0];
    const attributes = [makeIntAttribute('group', groups), makeIntsAttribute('pads', pads)];
    this.node('Conv', [weight, this.constant([channels])], attributes);
    this.#channels = channels;
  }

  constant(dims: readonly number[], offset = 0): string {
    const count = dims.reduce((product, dim) => product * dim, 1);
    const values = noise(count, this.#seed++).map((value) => value + offset * 1.5);
    const name = `c${this.#constants.length}`;
    this.#constants.push(floatTensor(name, dims, values));
    return name;
  }

  private integers(values: readonly number[]): string {
    const name = `c${this.#constants.length}`;
    this.#constants.push(int64Tensor(name, [values.length], values));
    return name;
  }

  private transposed(channels: number): void {
    const weight = this.constant([this.#channels, channels, 3, 3]);
    this.node(
      'ConvTranspose',
      [weight, this.constant([channels])],
      [makeIntsAttribute('pads', [1, 1, 1, 1])],
    );
    this.#channels = channels;
  }

  private split(sizes: readonly number[]): void {
    const outputs = sizes.map((_, index) => `s${this.#nodes.length}_${index}`);
    const input = [this.#tensor, this.integers(sizes)];
    this.#nodes.push(makeNode('Split', input, outputs, `Split_${outputs[0]}`, [makeIntAttribute('axis', 1)]));
    const [first = ''] = outputs;
    this.#tensor = first;
    this.#channels = sizes[0] ?? 0;
    this.conv(3, 1);
    const branch = this.#tensor;
    this.#tensor = outputs[1] ?? '';
    this.node('Concat', [branch], [makeIntAttribute('axis', 1)]);
    this.#channels = 3 + (sizes[1] ?? 0);
  }

  private gemm(read: number, made: number): void {
    this.node('Gemm', [this.constant([made, read]), this.constant([made])], [makeIntAttribute('transB', 1)]);
  }
}

export function graphOfBlocks(blocks: readonly Block[], head: Head): ModelProto {
  const graph = new LayeredGraph();
  for (const block of blocks) graph.add(block);
  return graph.build(head);
}

export function imageFeeds(count: number): TensorFeed[] {
  return Array.from({ length: count }, (_, index) => ({
    x: floatFeed([1, 3, SIZE, SIZE], noise(3 * SIZE * SIZE, 50 + index)),
  }));
}

/** A context over feeds in memory that keeps the notes. */
export function contextOf(feeds: readonly TensorFeed[]): StepContext & { readonly notes: string[] } {
  const notes: string[] = [];
  return {
    samples: {
      async *[Symbol.asyncIterator]() {
        yield* feeds;
      },
    },
    sampleCount: feeds.length,
    labels: null,
    progress: () => undefined,
    note: (text) => notes.push(text),
    notes,
  };
}
