// What the walk over a graph found: which tensors carry channels, which constants are cut with them, which
// integers in the graph count them, and which layers read and make them. Rules fill it in; the cut reads it.

import type { GraphIndex } from '../../onnx/graph-index.ts';
import type { NodeProto } from '../../onnx/onnx-types.ts';
import { dimsOf, isFloatTensor } from '../../onnx/tensor-data.ts';
import { ChannelLabels, type Labels } from './channel-labels.ts';

/** The channels of one tensor: `labels.length` is the tensor's size along `axis`. */
export interface Channels {
  readonly axis: number;
  readonly labels: Labels;
}

/** A linear layer with constant weights. `groups` as in Conv; 1 for Gemm and MatMul. */
export interface Layer {
  readonly node: NodeProto;
  readonly groups: number;
  /** Labels of the channels it reads; absent where they were not followed, so that they all stay. */
  readonly input?: Labels;
  readonly output?: Labels;
}

/** An integer of the graph that counts channels and has to follow the cut. */
export type CountFix =
  | { readonly kind: 'group'; readonly node: NodeProto; readonly labels: Labels }
  | { readonly kind: 'split'; readonly node: NodeProto; readonly parts: readonly Labels[] }
  /** Element `position` of the constant that the node reads as input `input`. */
  | {
      readonly kind: 'element';
      readonly node: NodeProto;
      readonly input: number;
      readonly position: number;
      readonly labels: Labels;
    };

export class ChannelMap {
  readonly labels = new ChannelLabels();
  readonly tensors = new Map<string, Channels>();
  /** Labels along each cut axis of a constant. */
  readonly cuts = new Map<string, Map<number, Labels>>();
  readonly fixes: CountFix[] = [];
  readonly layers: Layer[] = [];
  readonly index: GraphIndex;
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  /** Reads of each constant that a rule accounted for. */
  readonly #reads = new Map<string, number>();

  constructor(index: GraphIndex, shapes: ReadonlyMap<string, readonly number[]>) {
    this.index = index;
    this.#shapes = shapes;
  }

  /** The shape that a constant has, or that a tensor had in the run on one sample. */
  shapeOf(name: string | undefined): readonly number[] | undefined {
    const tensor = this.index.initializers.get(name ?? '');
    return tensor === undefined ? this.#shapes.get(name ?? '') : dimsOf(tensor);
  }

  isConstant(name: string | undefined): boolean {
    return this.index.initializers.has(name ?? '') && !this.index.inputs.has(name ?? '');
  }

  channelsOf(name: string | undefined): Channels | undefined {
    return this.tensors.get(name ?? '');
  }

  /** Passes channels on to an output of a node; freezes them where that tensor's shape says otherwise. */
  give(name: string | undefined, channels: Channels, node: NodeProto): void {
    const size = this.shapeOf(name)?.[channels.axis];
    if (name === undefined || name === '') return;
    if (size === channels.labels.length) this.tensors.set(name, channels);
    else this.freeze(channels.labels, node);
  }

  /** Cuts a constant along an axis together with the labels, which have to fit it. */
  cut(name: string | undefined, axis: number, labels: Labels, node: NodeProto): void {
    const tensor = this.index.initializers.get(name ?? '');
    if (tensor === undefined || !this.isConstant(name) || !isFloatTensor(tensor)) {
      this.freeze(labels, node);
      return;
    }
    const key = tensor.name ?? '';
    if (dimsOf(tensor)[axis] !== labels.length) this.freeze(labels, node);
    else this.#couple(key, axis, labels);
  }

  /** A rule has accounted for one read of a constant, on every axis that matters. */
  accountFor(name: string | undefined): void {
    this.#reads.set(name ?? '', (this.#reads.get(name ?? '') ?? 0) + 1);
  }

  /** The channels stay, because of a node. */
  freeze(labels: Labels, node: NodeProto): void {
    this.labels.freezeAll(labels, `${node.opType ?? ''} "${node.name ?? ''}"`);
  }

  /** Every channel that the node reads stays. */
  freezeInputs(node: NodeProto): void {
    for (const name of node.input) {
      const channels = this.tensors.get(name);
      if (channels !== undefined) this.freeze(channels.labels, node);
    }
  }

  /** A constant that something else reads too, in a way no rule knows, keeps its channels. */
  freezeSharedConstants(): void {
    for (const [name, axes] of this.cuts) {
      const reads = this.index.consumers.get(name)?.length ?? 0;
      if (reads === this.#reads.get(name) && !this.index.outputs.has(name)) continue;
      for (const labels of axes.values())
        this.labels.freezeAll(labels, `the constant "${name}", read elsewhere`);
    }
  }

  #couple(name: string, axis: number, labels: Labels): void {
    const axes = this.cuts.get(name) ?? new Map<number, Labels>();
    this.cuts.set(name, axes);
    const known = axes.get(axis);
    if (known === undefined) axes.set(axis, labels);
    else this.labels.joinAll(known, labels);
  }
}
