// Writes MatMulNBits nodes and the initializers they read. Invariant: names, order and bits are those of
// MatMulNBitsQuantizer of onnxruntime 1.30, whose two algorithms name and order them each in its way.

import type { Int4Recipe } from '#protocol/compression.ts';
import { inMicrosoftDomain } from '../dynamic/microsoft-domain.ts';
import { makeIntAttribute, makeNode } from '../onnx/messages.ts';
import type { NodeProto, TensorProto } from '../onnx/onnx-types.ts';
import { dimsOf, floatTensor, isFloatTensor, readFloats, uint8Tensor } from '../onnx/tensor-data.ts';
import { kQuant } from './k-quant.ts';
import { quantizeWeight } from './quantize-weight.ts';
import { roundAsymmetric, roundSymmetric } from './round-to-nearest.ts';

interface NBitsTensors {
  readonly codes: TensorProto;
  readonly scales: TensorProto;
  /** None for symmetric blocks. */
  readonly zeroPoints: readonly TensorProto[];
}

export class NBitsWriter {
  readonly #constants: ReadonlyMap<string, TensorProto>;
  readonly #recipe: Int4Recipe;
  /** The parts of each quantized weight, in order of its last use. */
  readonly #written = new Map<string, NBitsTensors>();

  constructor(constants: ReadonlyMap<string, TensorProto>, recipe: Int4Recipe) {
    this.#constants = constants;
    this.#recipe = recipe;
  }

  /** Why a MatMul or Gemm cannot be replaced; null when it can. */
  unfit(node: NodeProto): string | null {
    const tensor = this.#constants.get(node.input[1] ?? '');
    if (tensor === undefined) return 'its second input is not a constant';
    if (!isMatrix(tensor)) return 'its weight is not a float32 matrix';
    if (!readFloats(tensor).every(Number.isFinite)) return 'its weight is not finite';
    return node.opType === 'Gemm' ? 'it scales its product or transposes its input' : null;
  }

  replace(node: NodeProto): NodeProto {
    const [input = '', name = ''] = node.input;
    const tensor = this.#constants.get(name) as TensorProto;
    const [rows = 0, columns = 0] = dimsOf(tensor);
    const made = this.#written.get(name) ?? this.#quantize(name, tensor, [rows, columns]);
    this.#written.delete(name);
    this.#written.set(name, made);
    const constants = [made.codes, made.scales, ...made.zeroPoints].map((one) => one.name ?? '');
    return inMicrosoftDomain(
      makeNode('MatMulNBits', [input, ...constants], node.output, node.name ? `${node.name}_Q4` : '', [
        makeIntAttribute('K', rows),
        makeIntAttribute('N', columns),
        makeIntAttribute('bits', 4),
        makeIntAttribute('block_size', this.#recipe.blockSize),
      ]),
    );
  }

  /** What the nodes read, each once. */
  initializers(): TensorProto[] {
    return [...this.#written.values()].flatMap(({ codes, scales, zeroPoints }) =>
      this.#recipe.algorithm === 'k-quant' ? [scales, ...zeroPoints, codes] : [codes, scales, ...zeroPoints],
    );
  }

  #quantize(name: string, tensor: TensorProto, dims: readonly [number, number]): NBitsTensors {
    const { algorithm, blockSize, symmetric } = this.#recipe;
    const isKQuant = algorithm === 'k-quant';
    const round = isKQuant ? kQuant(blockSize) : symmetric ? roundSymmetric : roundAsymmetric;
    const { codes, scales, zeroPoints, blocks } = quantizeWeight(readFloats(tensor), dims, blockSize, round);
    const columns = dims[1];
    const names = isKQuant
      ? [`${name}_Q4G${blockSize}`, `${name}_scale`, `${name}_zp`]
      : [`${name}_Q4`, `${name}_scales`, `${name}_zero_points`];
    const [codesName = '', scalesName = '', zeroPointsName = ''] = names;
    return {
      codes: uint8Tensor(codesName, [columns, blocks, blockSize / 2], codes),
      scales: floatTensor(scalesName, [columns, blocks], scales),
      zeroPoints:
        symmetric && !isKQuant
          ? []
          : [uint8Tensor(zeroPointsName, [columns, Math.ceil(blocks / 2)], zeroPoints)],
    };
  }
}

/** Whether there is a float32 matrix to quantize. */
export function isMatrix(tensor: TensorProto | undefined): boolean {
  if (tensor === undefined || !isFloatTensor(tensor)) return false;
  const dims = dimsOf(tensor);
  return dims.length === 2 && dims.every((dim) => dim > 0);
}
