// Dynamic int8: constant weights in 8 bits, activations quantized on each run at the range they have. Invariant:
// the main graph is that of quantize_dynamic of onnxruntime 1.30 with its default operators, for those in rules.ts;
// the graphs within it, which that leaves in float, are quantized too.

import type { DynamicInt8Recipe } from '#protocol/compression.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { LeftInFloat } from '../left-in-float.ts';
import type { LoweredNodes } from '../lowered-nodes.ts';
import { graphOf } from '../onnx/codec.ts';
import { constantsToInitializers } from '../onnx/constants-to-initializers.ts';
import { capturedNames } from '../onnx/graph-index.ts';
import { toNumber } from '../onnx/messages.ts';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from '../onnx/onnx-types.ts';
import { sortNodes } from '../onnx/topological-sort.ts';
import { dropUnusedInitializers } from '../onnx/unused-initializers.ts';
import { allGraphs, graphsWithin } from '../onnx/walk.ts';
import type { StepContext } from '../step.ts';
import { gemmToMatMul } from './gemm-to-matmul.ts';
import { importMicrosoftDomain } from './microsoft-domain.ts';
import { QuantizedTensors } from './quantized-tensors.ts';
import { DYNAMIC_RULES } from './rules.ts';

/** First operator set with DynamicQuantizeLinear. */
const NEEDED_OPSET = 11;

/** Edits the model in place. Throws `compression-failed` below operator set 11, `onnx-malformed`. */
export async function quantizeDynamic(
  model: ModelProto,
  recipe: DynamicInt8Recipe,
  context: Pick<StepContext, 'note' | 'progress'>,
): Promise<LoweredNodes> {
  const graph = graphOf(model);
  refuseOldOpset(model);
  for (const one of allGraphs(graph)) constantsToInitializers({ ...model, graph: one });
  const job = new DynamicJob(recipe, context.progress);
  job.quantize(graph, new Map());
  sortNodes(graph);
  if ([...job.lowered].some(({ opType }) => opType === 'DynamicQuantizeLSTM')) importMicrosoftDomain(model);
  job.left.tell(context.note);
  return { lowered: job.lowered, carrying: job.carrying };
}

/** Quantizes graph after graph, and keeps the account of it. */
class DynamicJob {
  readonly lowered = new Set<NodeProto>();
  readonly carrying = new Set<NodeProto>();
  readonly left = new LeftInFloat();
  readonly #recipe: DynamicInt8Recipe;
  readonly #progress: StepContext['progress'];
  #graphs = 0;

  constructor(recipe: DynamicInt8Recipe, progress: StepContext['progress']) {
    this.#recipe = recipe;
    this.#progress = progress;
  }

  /** Quantizes a graph and those within it. `outer` are the constants of the graphs around it. */
  quantize(graph: GraphProto, outer: ReadonlyMap<string, TensorProto>): void {
    const scope = this.#graphs === 0 ? '' : `graph${this.#graphs}_`;
    this.#graphs++;
    gemmToMatMul(graph);
    const tensors = new QuantizedTensors(graph, outer, scope);
    graph.node.forEach((node, done) => {
      if (scope === '') this.#progress({ phase: 'quantize', done, total: graph.node.length });
      this.#quantizeNode(node, tensors);
    });
    for (const { name = '' } of graph.output) tensors.dequantize(name);
    graph.node = tensors.nodes;
    const computed = new Set(graph.node.flatMap((node) => node.output));
    graph.initializer = graph.initializer.filter(({ name = '' }) => !computed.has(name));
    graph.input = graph.input.filter(({ name = '' }) => !computed.has(name));
    for (const node of tensors.lowered) this.lowered.add(node);
    for (const inner of graph.node.flatMap(graphsWithin)) this.quantize(inner, tensors.constants);
    dropUnusedInitializers(graph);
  }

  #quantizeNode(node: NodeProto, tensors: QuantizedTensors): void {
    const domain = node.domain ?? '';
    const opType = node.opType ?? '';
    const rule = DYNAMIC_RULES.get(domain === '' || domain === 'ai.onnx' ? opType : `${domain}:${opType}`);
    const before = tensors.nodes.length;
    const result = rule?.(node, tensors, this.#recipe) ?? { unfit: null };
    if (result !== 'written') {
      if (result.unfit !== null) this.left.add(node, result.unfit);
      for (const name of [...node.input, ...capturedNames(node)]) tensors.dequantize(name);
      tensors.write(node);
    }
    for (const made of tensors.nodes.slice(before))
      if (made !== node && !tensors.lowered.has(made)) this.carrying.add(made);
  }
}

function refuseOldOpset(model: ModelProto): void {
  const entry = model.opsetImport.find(({ domain }) => (domain ?? '') === '' || domain === 'ai.onnx');
  const opset = toNumber(entry?.version);
  if (opset >= NEEDED_OPSET) return;
  throw new HoldfastError(
    'compression-failed',
    `the model has operator set ${opset}, dynamic quantization needs ${NEEDED_OPSET}`,
    { hint: `export the model with operator set ${NEEDED_OPSET} or higher` },
  );
}
