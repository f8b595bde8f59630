// Every change of an operator of ONNX's default domain from operator set 8 to 17, and what a node needs to
// follow it. Invariant: an operator that changed is listed with each version; one that is not listed did not
// change. Source: the operator schemas of onnx 1.23 (test/fixtures/onnx/operator-changes.json).

import * as inputs from './attributes-to-inputs.ts';
import * as meanings from './changed-meanings.ts';
import type { Adapter } from './opset-scope.ts';

/** Types were added or the text made clearer: the node means what it meant. */
const same: Adapter = () => undefined;

type Changes = ReadonlyMap<number, Adapter>;

const sameAt = (...versions: number[]): Changes => new Map(versions.map((version) => [version, same]));
const changed = (versions: readonly number[], adapters: Readonly<Record<number, Adapter>>): Changes =>
  new Map([
    ...sameAt(...versions),
    ...Object.entries(adapters).map(([version, adapter]) => [Number(version), adapter] as const),
  ]);

const ROWS = changed([11], { 13: meanings.softmaxOverRows });

const CHANGES: Readonly<Record<string, Changes>> = {
  Abs: sameAt(13), Add: sameAt(13, 14), ArgMax: sameAt(11, 12, 13), ArgMin: sameAt(11, 12, 13),
  AveragePool: sameAt(10, 11),
  BatchNormalization: changed([15], { 9: meanings.normalizeEachChannel, 14: meanings.refuseTraining }),
  Cast: sameAt(9, 13), Ceil: sameAt(13),
  Clip: changed([12, 13], { 11: inputs.clipLimitsToInputs }),
  Compress: sameAt(11), Concat: sameAt(11, 13), Constant: sameAt(9, 11, 12, 13), Conv: sameAt(11),
  ConvTranspose: sameAt(11), CumSum: sameAt(14), DepthToSpace: sameAt(11, 13), DequantizeLinear: sameAt(13),
  Div: sameAt(13, 14),
  Dropout: changed([13], { 10: meanings.dropDropoutMask, 12: meanings.dropDropoutMask }),
  Equal: sameAt(11, 13), Erf: sameAt(13), Exp: sameAt(13), Expand: sameAt(13), Flatten: sameAt(9, 11, 13),
  Floor: sameAt(13), GRU: sameAt(14), Gather: sameAt(11, 13), GatherElements: sameAt(13),
  GatherND: sameAt(12, 13), Gemm: sameAt(9, 11, 13), Greater: sameAt(9, 13), GreaterOrEqual: sameAt(16),
  Hardmax: ROWS, Identity: sameAt(13, 14, 16), If: sameAt(11, 13, 16), IsNaN: sameAt(13), LRN: sameAt(13),
  LSTM: sameAt(14), LeakyRelu: sameAt(16), Less: sameAt(9, 13), LessOrEqual: sameAt(16), Log: sameAt(13),
  LogSoftmax: ROWS, Loop: sameAt(11, 13, 16), LpPool: sameAt(11), MatMul: sameAt(9, 13),
  Max: sameAt(8, 12, 13), MaxPool: sameAt(8, 10, 11, 12), MaxUnpool: sameAt(11), Mean: sameAt(8, 13),
  MeanVarianceNormalization: sameAt(13), Min: sameAt(8, 12, 13), Mod: sameAt(13), Mul: sameAt(13, 14),
  Neg: sameAt(13), NegativeLogLikelihoodLoss: sameAt(13), NonMaxSuppression: sameAt(11), NonZero: sameAt(13),
  OneHot: sameAt(11), PRelu: sameAt(9, 16),
  Pad: changed([13], { 11: inputs.padsToInputs }),
  Pow: sameAt(12, 13, 15), QuantizeLinear: sameAt(13), RNN: sameAt(14), Reciprocal: sameAt(13),
  ReduceL1: sameAt(11, 13), ReduceL2: sameAt(11, 13), ReduceLogSum: sameAt(11, 13),
  ReduceLogSumExp: sameAt(11, 13), ReduceMax: sameAt(11, 12, 13), ReduceMean: sameAt(11, 13),
  ReduceMin: sameAt(11, 12, 13), ReduceProd: sameAt(11, 13),
  ReduceSum: changed([11], { 13: inputs.intsToInput('axes') }),
  ReduceSumSquare: sameAt(11, 13), Relu: sameAt(13, 14), Reshape: sameAt(13, 14),
  Resize: changed([], { 11: meanings.resizeAsBefore, 13: meanings.refuseCropMode }),
  RoiAlign: changed([], { 16: meanings.roiAlignAsBefore }),
  Scan: changed([11, 16], { 9: meanings.refuseBatchedScan }),
  Scatter: changed([], { 11: meanings.rename('ScatterElements') }),
  ScatterElements: sameAt(13, 16), ScatterND: sameAt(13, 16), Shape: sameAt(13, 15), Sigmoid: sameAt(13),
  Sign: sameAt(13), Size: sameAt(13),
  Slice: changed([11, 13], { 10: inputs.sliceBoundsToInputs }),
  Softmax: ROWS, SoftmaxCrossEntropyLoss: sameAt(13), SpaceToDepth: sameAt(13),
  Split: changed([11], { 13: inputs.intsToInput('split') }),
  Sqrt: sameAt(13),
  Squeeze: changed([11], { 13: inputs.intsToInput('axes') }),
  Sub: sameAt(13, 14), Sum: sameAt(8, 13), Tanh: sameAt(13), Tile: sameAt(13),
  TopK: changed([11], { 10: inputs.topCountToInput }),
  Transpose: sameAt(13),
  Unsqueeze: changed([11], { 13: inputs.intsToInput('axes', true) }),
  Upsample: changed([], { 9: inputs.upsampleScalesToInput, 10: meanings.rename('Resize') }),
  Where: sameAt(16),
}; // prettier-ignore

/** The adapters that take an operator's nodes to each version in which it changed, by version. */
export function changesOf(opType: string): Changes | undefined {
  return Object.hasOwn(CHANGES, opType) ? CHANGES[opType] : undefined;
}
