// Rules that change calibrated ranges before scales are made of them. Invariant: nodes are taken in graph
// order, so in a chain of Relu and Clip each input has the range its output had then. Source:
// BaseQuantizer.adjust_tensor_ranges of onnxruntime.quantization.

import { indexGraph } from '../onnx/graph-index.ts';
import type { GraphProto } from '../onnx/onnx-types.ts';
import { ruleFor } from './op-rules.ts';
import type { QuantOptions } from './quant-options.ts';
import type { Range } from './scale.ts';

/** Calibrated ranges as the quantizer uses them; a tensor whose range is not finite is left out. */
export function adjustRanges(
  graph: GraphProto,
  calibrated: ReadonlyMap<string, Range>,
  options: QuantOptions,
): Map<string, Range> {
  const ranges = new Map(
    [...calibrated].filter(([, { min, max }]) => Number.isFinite(min) && Number.isFinite(max)),
  );
  const { consumers } = indexGraph(graph);
  for (const node of graph.node) {
    const [input = ''] = node.input;
    const [output = ''] = node.output;
    const range = ranges.get(output);
    if (range === undefined || ruleFor(node, options) === undefined) continue;
    if (node.opType === 'Softmax') {
      ranges.set(output, { min: 0, max: 1 });
    } else if (node.opType === 'Relu' || node.opType === 'Clip') {
      const isOnlyReader = consumers.get(input)?.length === 1;
      if (isOnlyReader && ranges.has(input)) ranges.set(input, range);
    }
  }
  return ranges;
}
