// Reads tensors from inside a model while it runs on samples: only the nodes that the tensors need are kept, and
// only one sample's tensors are held at a time. Native code runs here, so only child processes call this.

import type { Tensor } from 'onnxruntime-node';
import { HoldfastError } from '#protocol/errors.ts';
import { encodeModel, graphOf } from '../onnx/codec.ts';
import { capturedNames, indexGraph } from '../onnx/graph-index.ts';
import { makeValueInfo } from '../onnx/messages.ts';
import type { ModelProto, NodeProto } from '../onnx/onnx-types.ts';
import { openSession, runModel, type OpenSession } from '../ort-session.ts';
import type { TensorFeed } from '../tensor-feed.ts';

/** A float32 tensor of one run. */
export interface Activation {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export class ActivationReader implements AsyncDisposable {
  readonly #opened: OpenSession;
  readonly #computed: readonly string[];
  readonly #given: readonly string[];

  private constructor(opened: OpenSession, computed: readonly string[], given: readonly string[]) {
    this.#opened = opened;
    this.#computed = computed;
    this.#given = given;
  }

  /** Opens the part of a model that makes `names`. Throws `model-load-failed`. */
  static async open(model: ModelProto, names: readonly string[]): Promise<ActivationReader> {
    const inputs = new Set(graphOf(model).input.map(({ name }) => name ?? ''));
    const wanted = [...new Set(names)];
    const computed = wanted.filter((name) => !inputs.has(name));
    const part = computed.length === 0 ? model : partOf(model, computed);
    const opened = await openSession(encodeModel(part), { optimise: true });
    return new ActivationReader(
      opened,
      computed,
      wanted.filter((name) => inputs.has(name)),
    );
  }

  /** Tensors of one sample, by name. Throws `dataset-invalid` where one is not float32 or not finite. */
  async read(feed: TensorFeed): Promise<ReadonlyMap<string, Activation>> {
    const read = new Map<string, Activation>();
    if (this.#computed.length > 0) {
      const results = await runModel(this.#opened.session, feed, this.#computed);
      for (const name of this.#computed) read.set(name, activationOf(name, results[name] as Tensor));
    }
    for (const name of this.#given) read.set(name, givenOf(name, feed));
    return read;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened[Symbol.asyncDispose]();
  }
}

function activationOf(name: string, { type, data, dims }: Tensor): Activation {
  if (type === 'float32') return finite(name, { shape: dims, values: data as Float32Array });
  throw new HoldfastError('compression-failed', `"${name}" holds ${type}, not float32`);
}

function givenOf(name: string, feed: TensorFeed): Activation {
  const tensor = feed[name];
  if (tensor?.dtype !== 'FP32')
    throw new HoldfastError('dataset-invalid', `the sample has no float32 "${name}"`);
  return finite(name, { shape: tensor.shape, values: new Float32Array(Uint8Array.from(tensor.data).buffer) });
}

function finite(name: string, activation: Activation): Activation {
  if (activation.values.every(Number.isFinite)) return activation;
  throw new HoldfastError('dataset-invalid', `a calibration sample gives NaN or infinity in "${name}"`, {
    hint: 'leave the sample out, or mend the pre-processing that made it',
  });
}

/** The nodes, constants and inputs that `names` need, with `names` as outputs. */
function partOf(model: ModelProto, names: readonly string[]): ModelProto {
  const graph = graphOf(model);
  const { producers } = indexGraph(graph);
  const needed = new Set<NodeProto>();
  const read = new Set<string>();
  const waiting = [...names];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    read.add(name);
    const node = producers.get(name);
    if (node === undefined || needed.has(node)) continue;
    needed.add(node);
    waiting.push(...node.input, ...capturedNames(node));
  }
  return {
    ...model,
    graph: {
      ...graph,
      node: graph.node.filter((node) => needed.has(node)),
      initializer: graph.initializer.filter((tensor) => read.has(tensor.name ?? '')),
      input: graph.input.filter((value) => read.has(value.name ?? '')),
      output: names.map((name) => makeValueInfo(name)),
      valueInfo: [],
    },
  };
}

/** Shapes of every tensor that the nodes of the main graph make of one sample, and of the inputs, by name. */
export async function shapesOf(model: ModelProto, feed: TensorFeed): Promise<Map<string, readonly number[]>> {
  const graph = graphOf(model);
  const names = [...new Set(graph.node.flatMap(({ output }) => output))].filter((name) => name !== '');
  const shapes = new Map<string, readonly number[]>();
  for (const [name, { shape }] of Object.entries(feed)) shapes.set(name, shape);
  await using opened = await openSession(encodeModel(partOf(model, names)), { optimise: false });
  const results = await runModel(opened.session, feed, names);
  for (const name of names) {
    const value = results[name];
    if (value !== undefined && 'dims' in value) shapes.set(name, value.dims);
  }
  return shapes;
}
