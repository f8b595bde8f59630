// Bounded inspection of an ONNX file that nobody trusts yet: it reads the bytes in place, decodes no tensor
// and hands the file to no native code. Invariants: time is bounded by `maxFields` and the length of the file,
// memory by the summary. Source: onnx.proto; the limits are ours.

import { HoldfastError } from '#protocol/errors.ts';
import { checkFunctions, functionKey, type Calls } from './inspect-functions.ts';
import { GraphInspection } from './inspect-graph.ts';
import type { ValueSummary } from './inspect-value-info.ts';
import { DEFAULT_ONNX_LIMITS, type OnnxLimits } from './limits.ts';
import { checkDomain, checkOpset } from './opset-check.ts';
import { fieldNumber } from './schema.ts';
import { malformed, type WireField } from './wire.ts';

export interface OnnxSummary {
  readonly irVersion: number;
  /** Operator set versions by domain; the default domain is `''`. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Real inputs: those that an initializer fills in are left out. */
  readonly inputs: readonly ValueSummary[];
  readonly outputs: readonly ValueSummary[];
  /** Nodes by operator, subgraphs and functions included. */
  readonly opCounts: Readonly<Record<string, number>>;
  readonly nodeCount: number;
  /** Bytes of tensor data in the file: initializers and Constant nodes. */
  readonly initializerBytes: number;
  readonly usesExternalData: boolean;
}

const MODEL = {
  irVersion: fieldNumber('ModelProto', 'irVersion'),
  graph: fieldNumber('ModelProto', 'graph'),
  opsetImport: fieldNumber('ModelProto', 'opsetImport'),
  functions: fieldNumber('ModelProto', 'functions'),
  trainingInfo: fieldNumber('ModelProto', 'trainingInfo'),
};
const OPSET = {
  domain: fieldNumber('OperatorSetIdProto', 'domain'),
  version: fieldNumber('OperatorSetIdProto', 'version'),
};
const FUNCTION = {
  name: fieldNumber('FunctionProto', 'name'),
  domain: fieldNumber('FunctionProto', 'domain'),
  node: fieldNumber('FunctionProto', 'node'),
  attributeProto: fieldNumber('FunctionProto', 'attributeProto'),
  opsetImport: fieldNumber('FunctionProto', 'opsetImport'),
};

/**
 * Summarises an ONNX file. Throws `onnx-too-large`, `onnx-opset-unsupported`, `onnx-external-data` or
 * `onnx-malformed`; never crashes and never allocates by a number that the file declares.
 */
export function inspectOnnx(bytes: Uint8Array, limits: OnnxLimits = DEFAULT_ONNX_LIMITS): OnnxSummary {
  if (bytes.byteLength > limits.maxBytes) {
    throw new HoldfastError('onnx-too-large', `the ONNX file has ${bytes.byteLength} bytes`, {
      hint: `a model may have up to ${limits.maxBytes} bytes`,
    });
  }
  const inspection = new GraphInspection(bytes, limits);
  const opsets = new Map<string, number>();
  const functions = new Map<string, Calls>();
  const mainCalls = inspection.calls;
  let irVersion = 0;
  let graphs = 0;
  for (const field of inspection.fields()) {
    if (field.number === MODEL.irVersion) irVersion = field.value;
    else if (field.number === MODEL.opsetImport) readOpset(inspection, field, limits, opsets);
    else if (field.number === MODEL.functions) readFunction(inspection, field, limits, functions);
    else if (field.number === MODEL.trainingInfo) throw malformed('it holds training graphs');
    else if (field.number === MODEL.graph && ++graphs === 1) {
      inspection.calls = mainCalls;
      inspection.mainGraph(field);
    }
  }
  if (graphs !== 1) throw malformed(graphs === 0 ? 'it holds no graph' : 'it holds more than one graph');
  if (!(irVersion >= 1)) throw malformed('it states no IR version');
  if (!opsets.has('')) throw malformed('it imports no default operator set');
  checkFunctions(mainCalls, functions, limits);
  return {
    irVersion,
    opsets: Object.fromEntries(opsets),
    inputs: inspection.inputs.filter((input) => !inspection.initializers.has(input.name)),
    outputs: inspection.outputs,
    opCounts: Object.fromEntries(inspection.opCounts),
    nodeCount: inspection.nodeCount,
    initializerBytes: inspection.tensorBytes,
    usesExternalData: inspection.usesExternalData,
  };
}

function readOpset(
  inspection: GraphInspection,
  opsetField: WireField,
  limits: OnnxLimits,
  opsets: Map<string, number>,
): void {
  let domain = '';
  let version = 0;
  for (const field of inspection.enter(opsetField, 'OperatorSetIdProto')) {
    if (field.number === OPSET.domain) domain = inspection.text(field);
    else if (field.number === OPSET.version) version = field.value;
  }
  const imported = checkOpset(domain, version, limits);
  if ((opsets.get(imported) ?? version) !== version)
    throw malformed('it imports an operator set in two versions');
  opsets.set(imported, version);
}

function readFunction(
  inspection: GraphInspection,
  functionField: WireField,
  limits: OnnxLimits,
  functions: Map<string, Calls>,
): void {
  let name = '';
  let domain = '';
  inspection.calls = new Map();
  for (const field of inspection.enter(functionField, 'FunctionProto')) {
    if (field.number === FUNCTION.name) name = inspection.text(field);
    else if (field.number === FUNCTION.domain) domain = checkDomain(inspection.text(field));
    else if (field.number === FUNCTION.node) inspection.node(field, 0);
    else if (field.number === FUNCTION.attributeProto) inspection.attribute(field, 0);
    else if (field.number === FUNCTION.opsetImport) readOpset(inspection, field, limits, new Map());
  }
  const key = functionKey(domain, name);
  if (functions.has(key)) throw malformed('two functions have the same name');
  functions.set(key, inspection.calls);
}
