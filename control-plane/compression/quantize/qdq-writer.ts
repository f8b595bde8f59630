// The quantizer's second pass: writes QuantizeLinear/DequantizeLinear pairs, 8-bit weights and int32 biases for
// what was marked. Invariant: names, shapes and order of everything written are those of QDQQuantizer of
// onnxruntime.quantization.

import { makeIntAttribute, makeNode } from '../onnx/messages.ts';
import type { TensorProto } from '../onnx/onnx-types.ts';
import {
  dimsOf,
  floatTensor,
  int32Tensor,
  int8Tensor,
  readFloats,
  uint8Tensor,
} from '../onnx/tensor-data.ts';
import { quantizeBias } from './bias.ts';
import type { GraphEditor } from './graph-editor.ts';
import type { BiasMark } from './marks.ts';
import type { QuantParams } from './quant-params.ts';
import { quantizeValues } from './quantize-values.ts';

interface Written {
  readonly scaleName: string;
  readonly zeroPointName: string;
  readonly scales: Float32Array;
  readonly perTensor: boolean;
}

export class QdqWriter {
  readonly #editor: GraphEditor;
  readonly #written = new Map<string, Written>();

  constructor(editor: GraphEditor) {
    this.#editor = editor;
  }

  has(name: string): boolean {
    return this.#written.has(name);
  }

  /** Whether other tensors may use the scale of this one. */
  canShare(name: string): boolean {
    return this.#written.get(name)?.perTensor === true;
  }

  /** An activation with a scale of its own. */
  activation(name: string, params: QuantParams): void {
    this.#activationPair(name, this.#parameters(name, params));
  }

  /** An activation with the scale and zero point that `provider` was written with. */
  sharedActivation(name: string, provider: string): void {
    const written = this.#written.get(provider);
    if (written === undefined) throw new RangeError(`${provider} was not written`);
    this.#activationPair(name, written);
  }

  /** A constant: its 8-bit form and a DequantizeLinear. */
  constant(name: string, tensor: TensorProto, params: QuantParams): void {
    const written = this.#parameters(name, params);
    const dims = dimsOf(tensor);
    const values = quantizeValues(readFloats(tensor), dims, params);
    this.#editor.renameReads(name, `${name}_DequantizeLinear_Output`);
    this.#editor.addInitializer(integerTensor(`${name}_quantized`, dims, values));
    const attributes = params.axis === null ? [] : [makeIntAttribute('axis', params.axis)];
    const inputs = [`${name}_quantized`, written.scaleName, written.zeroPointName];
    const outputs = [`${name}_DequantizeLinear_Output`];
    this.#editor.addNode(
      makeNode('DequantizeLinear', inputs, outputs, `${name}_DequantizeLinear`, attributes),
    );
    this.#written.set(name, written);
  }

  /** A bias, where its input and weight were quantized and its shape allows it; false where it stays in float. */
  bias(name: string, tensor: TensorProto, mark: BiasMark): boolean {
    const input = this.#written.get(mark.input);
    const weight = this.#written.get(mark.weight);
    if (input === undefined || weight === undefined || input.scales.length !== 1) return false;
    const dims = dimsOf(tensor);
    const inputScale = input.scales[0] as number;
    const quantized = quantizeBias(readFloats(tensor), dims, inputScale, weight.scales, mark.beta);
    if (quantized === null) return false;
    const { values, scales, axis } = quantized;
    const names = [`${name}_quantized`, `${name}_quantized_scale`, `${name}_quantized_zero_point`] as const;
    const zeroPoints = new Int32Array(axis === null ? 1 : scales.length);
    this.#editor.addInitializer(int32Tensor(names[0], dims, values));
    this.#editor.addInitializer(floatTensor(names[1], [scales.length], scales));
    this.#editor.addInitializer(int32Tensor(names[2], axis === null ? [] : [scales.length], zeroPoints));
    this.#editor.removeInitializer(name);
    const attributes = axis === null ? [] : [makeIntAttribute('axis', axis)];
    this.#editor.addNode(makeNode('DequantizeLinear', names, [name], `${name}_DequantizeLinear`, attributes));
    this.#written.set(name, {
      scaleName: names[1],
      zeroPointName: names[2],
      scales,
      perTensor: false,
    });
    return true;
  }

  #parameters(name: string, params: QuantParams): Written {
    const dims = params.axis === null ? [] : [params.scales.length];
    const zeroPoints =
      params.type === 'u8' ? Uint8Array.from(params.zeroPoints) : Int8Array.from(params.zeroPoints);
    const written: Written = {
      scaleName: `${name}_scale`,
      zeroPointName: `${name}_zero_point`,
      scales: params.scales,
      perTensor: params.axis === null,
    };
    this.#editor.addInitializer(integerTensor(written.zeroPointName, dims, zeroPoints));
    this.#editor.addInitializer(floatTensor(written.scaleName, dims, params.scales));
    return written;
  }

  /** A graph output keeps its name on the dequantized side; any other tensor keeps it on the float side. */
  #activationPair(name: string, written: Written): void {
    const isOutput = this.#editor.outputs.has(name);
    const source = isOutput ? `${name}_QuantizeLinear_Input` : name;
    const result = isOutput ? name : `${name}_DequantizeLinear_Output`;
    if (isOutput) this.#editor.renameWrites(name, source);
    else this.#editor.renameReads(name, result);
    const quantized = `${name}_QuantizeLinear_Output`;
    const parameters = [written.scaleName, written.zeroPointName];
    this.#editor.addNode(
      makeNode('QuantizeLinear', [source, ...parameters], [quantized], `${name}_QuantizeLinear`),
    );
    this.#editor.addNode(
      makeNode('DequantizeLinear', [quantized, ...parameters], [result], `${name}_DequantizeLinear`),
    );
    this.#written.set(name, written);
  }
}

function integerTensor(name: string, dims: readonly number[], values: Uint8Array | Int8Array): TensorProto {
  return values instanceof Uint8Array ? uint8Tensor(name, dims, values) : int8Tensor(name, dims, values);
}
