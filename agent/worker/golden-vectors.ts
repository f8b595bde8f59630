// Golden vectors: a safetensors file with `input.<i>` (an encoded image) or `input.<i>.<name>`, and
// `output.<i>.<name>` (F32, raw model outputs as the author's training code saw them). Pure but for reading.

import { readFile, stat } from 'node:fs/promises';
import { HoldfastError } from '#protocol/errors.ts';
import type { GoldenTolerance, ModelContract, TensorDtype } from '#protocol/model-contract.ts';
import {
  decodeSafetensors,
  float32Of,
  type SafeTensor,
  type SafetensorsDtype,
} from '#protocol/safetensors.ts';
import type { GoldenResult, Tensor } from '../ports/runtime.ts';
import { argmax } from './classify.ts';
import { numbersOf } from './tensor-types.ts';

export interface GoldenVector {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly expected: ReadonlyMap<string, Float32Array>;
}

const DTYPES: Readonly<Partial<Record<SafetensorsDtype, TensorDtype>>> = {
  BOOL: 'BOOL', U8: 'UINT8', I8: 'INT8', U16: 'UINT16', I16: 'INT16', F16: 'FP16', U32: 'UINT32', I32: 'INT32',
  F32: 'FP32', U64: 'UINT64', I64: 'INT64', F64: 'FP64',
}; // prettier-ignore

/** Reads no more than the contract says the file has. Throws `golden-invalid`, `safetensors-malformed`. */
export async function readGoldenVectors(path: string, contract: ModelContract): Promise<GoldenVector[]> {
  const { size } = await stat(path);
  if (size !== contract.golden.sizeBytes) {
    throw invalid(`the file has ${size} bytes, the contract says ${contract.golden.sizeBytes}`);
  }
  return parseGoldenVectors(await readFile(path), contract);
}

export function parseGoldenVectors(bytes: Uint8Array, contract: ModelContract): GoldenVector[] {
  const tensors = decodeSafetensors(bytes);
  return Array.from({ length: contract.golden.count }, (_, index) => ({
    inputs: inputsOf(tensors, index, contract),
    expected: expectedOf(tensors, index, contract),
  }));
}

/** Adds vectors up, one after another, to what the gate is told. */
export class GoldenComparison {
  readonly #top1Output: string;
  #count = 0;
  #agreeing = 0;
  #maxAbs = 0;
  #finite = true;

  constructor(contract: ModelContract) {
    const { postprocess, outputs } = contract;
    this.#top1Output = postprocess.kind === 'classify' ? postprocess.output : (outputs[0]?.name ?? '');
  }

  add(vector: GoldenVector, outputs: Readonly<Record<string, Tensor>>, finite: boolean): void {
    this.#count++;
    this.#finite &&= finite;
    for (const [name, expected] of vector.expected) {
      const output = outputs[name];
      const actual = output === undefined ? [] : numbersOf(output);
      if (actual.length !== expected.length) {
        throw invalid(`output ${name} has ${actual.length} elements, the golden vector ${expected.length}`);
      }
      for (let index = 0; index < expected.length; index++) {
        this.#maxAbs = Math.max(
          this.#maxAbs,
          Math.abs((actual[index] as number) - (expected[index] as number)),
        );
      }
      if (name === this.#top1Output && argmax(actual) === argmax(expected)) this.#agreeing++;
    }
  }

  /** With NaN or infinity in any output nothing passes; `maxAbs` is then the largest finite number. */
  result(tolerance: GoldenTolerance): GoldenResult {
    const top1Agreement = this.#count === 0 ? 0 : this.#agreeing / this.#count;
    const maxAbs = Number.isFinite(this.#maxAbs) ? this.#maxAbs : Number.MAX_VALUE;
    const passed =
      this.#count > 0 &&
      this.#finite &&
      maxAbs <= tolerance.maxAbs &&
      top1Agreement >= tolerance.minTop1Agreement;
    return { count: this.#count, maxAbs, top1Agreement, finite: this.#finite, passed };
  }
}

function inputsOf(
  tensors: ReadonlyMap<string, SafeTensor>,
  index: number,
  contract: ModelContract,
): Record<string, Tensor> {
  if (contract.preprocess.kind === 'image') {
    const image = take(tensors, `input.${index}`);
    if (image.dtype !== 'U8' || image.shape.length !== 1)
      throw invalid(`input.${index} must be U8 [n], an encoded image`);
    const element = new Uint8Array(4 + image.data.byteLength);
    new DataView(element.buffer).setUint32(0, image.data.byteLength, true);
    element.set(image.data, 4);
    return { image: { dtype: 'BYTES', shape: [1], data: element } };
  }
  return Object.fromEntries(
    contract.inputs.map(({ name }) => [name, toTensor(take(tensors, `input.${index}.${name}`))]),
  );
}

function expectedOf(
  tensors: ReadonlyMap<string, SafeTensor>,
  index: number,
  contract: ModelContract,
): Map<string, Float32Array> {
  const expected = new Map<string, Float32Array>();
  for (const { name } of contract.outputs) {
    const values = float32Of(take(tensors, `output.${index}.${name}`));
    if (!values.every((value) => Number.isFinite(value)))
      throw invalid(`output.${index}.${name} is not finite`);
    expected.set(name, values);
  }
  return expected;
}

function take(tensors: ReadonlyMap<string, SafeTensor>, name: string): SafeTensor {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw invalid(`it has no tensor ${name}`);
  return tensor;
}

function toTensor({ dtype, shape, data }: SafeTensor): Tensor {
  const known = DTYPES[dtype];
  if (known === undefined) throw invalid(`dtype ${dtype} is not supported`);
  return { dtype: known, shape, data };
}

function invalid(what: string): HoldfastError {
  return new HoldfastError('golden-invalid', `the golden vectors cannot be used: ${what}`, {
    hint: 'write them with the model in one step, so that names, count and shapes agree with the contract',
  });
}
