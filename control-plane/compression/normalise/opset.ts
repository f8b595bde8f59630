// Raises a model of an older operator set of ONNX's default domain, one version after another, to one that says
// the same. Invariant: a node whose meaning would change is refused, never passed on. Other domains stay.

import { HoldfastError } from '#protocol/errors.ts';
import { graphOf } from '../onnx/codec.ts';
import type { TensorType } from '../onnx/infer-types.ts';
import { toNumber } from '../onnx/messages.ts';
import type { GraphProto, ModelProto, NodeProto, OperatorSetIdProto } from '../onnx/onnx-types.ts';
import { graphsWithin } from '../onnx/walk.ts';
import { takeInitializersOutOfInputs } from './initializer-inputs.ts';
import { changesOf } from './opset-changes.ts';
import { OpsetModel, OpsetScope } from './opset-scope.ts';

/** ONNX Runtime serves operator sets from 7 on; changes are known up to 17. */
const LOWEST_OPSET = 7;
const HIGHEST_TARGET = 17;
/** IR version that ONNX released with operator sets 15 to 17 and since then reads all earlier ones too. */
const IR_VERSION = 8;

/**
 * Raises the model to the operator set `target`, at most 17, in place; a model that has it, or a higher one, stays
 * as it is. `types` (of `tensorTypes`) lets more models pass and fewer nodes be added. Throws `compression-failed`,
 * which leaves the model half raised.
 */
export function raiseOpset(
  model: ModelProto,
  target: number,
  types: ReadonlyMap<string, TensorType> = new Map(),
): void {
  if (target > HIGHEST_TARGET) throw new RangeError(`operator set ${target} is beyond ${HIGHEST_TARGET}`);
  const entry = defaultOpset(model);
  const from = toNumber(entry.version);
  if (from >= target) return;
  if (from < LOWEST_OPSET)
    throw refusal(`operator set ${from} is older than ONNX Runtime serves (${LOWEST_OPSET})`);
  if (model.functions.length > 0) throw refusal('the model has functions of its own');
  if (toNumber(model.irVersion) < 4) takeInitializersOutOfInputs(graphOf(model));
  const shared = new OpsetModel(model, graphOf(model), types);
  for (let version = from + 1; version <= target; version++) raiseGraph(shared, graphOf(model), [], version);
  entry.version = target;
  model.irVersion = Math.max(toNumber(model.irVersion), IR_VERSION);
}

function raiseGraph(
  shared: OpsetModel,
  graph: GraphProto,
  outer: readonly GraphProto[],
  version: number,
): void {
  graph.node = graph.node.flatMap((node) => {
    for (const inner of graphsWithin(node)) raiseGraph(shared, inner, [graph, ...outer], version);
    const adapter = isDefaultDomain(node) ? changesOf(node.opType ?? '')?.get(version) : undefined;
    if (adapter === undefined) return [node];
    const scope = new OpsetScope(shared, graph, outer, version);
    adapter(node, scope);
    return [...scope.before, node, ...scope.after];
  });
}

/** The model's import of the default domain. */
export function defaultOpset(model: ModelProto): OperatorSetIdProto {
  const entry = model.opsetImport.find(isDefaultDomain);
  if (entry === undefined)
    throw new HoldfastError('onnx-malformed', 'the model imports no default operator set');
  return entry;
}

function isDefaultDomain({ domain }: NodeProto | OperatorSetIdProto): boolean {
  return domain === undefined || domain === '' || domain === 'ai.onnx';
}

function refusal(why: string): HoldfastError {
  return new HoldfastError('compression-failed', `the operator set cannot be raised: ${why}`, {
    hint: 'export the model again with operator set 17',
  });
}
