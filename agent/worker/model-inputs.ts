// From what a caller sent to the model's own inputs, and example inputs where no caller sent any yet.

import { HoldfastError } from '#protocol/errors.ts';
import type { ModelContract } from '#protocol/model-contract.ts';
import { imageTensorShape } from '#protocol/preprocess.ts';
import type { LoadRequest, Tensor } from '../ports/runtime.ts';
import { fitsShape } from './contract-check.ts';
import { readGoldenVectors } from './golden-vectors.ts';
import { imageToTensor } from './image-input.ts';
import { elementBytes, elementCount } from './tensor-types.ts';

export type Inputs = Readonly<Record<string, Tensor>>;

/**
 * The model's own input tensors from what the caller sent: its inputs by name, or one image under the name
 * `image` (FP32 is the model's own input should that be called `image` too). Errors: bad-request, image-invalid.
 */
export async function modelInputs(inputs: Inputs, contract: ModelContract): Promise<Inputs> {
  const { preprocess, inputs: specs } = contract;
  const image = inputs['image'];
  const own = specs[0]?.name ?? '';
  if (preprocess.kind === 'image' && image !== undefined && (own !== 'image' || image.dtype !== 'FP32')) {
    return { [own]: await imageToTensor(image, preprocess) };
  }
  for (const spec of specs) {
    const tensor = inputs[spec.name];
    if (tensor === undefined) throw badInput(`input ${spec.name} is missing`);
    if (tensor.dtype !== spec.dtype || !fitsShape(tensor.shape, spec.shape)) {
      throw badInput(`input ${spec.name} is ${tensor.dtype} [${tensor.shape.join(', ')}], the model takes ${spec.dtype} [${spec.shape.join(', ')}]`); // prettier-ignore
    }
  }
  return inputs;
}

/** Something to run before real input comes: a gray image, zeros, or the first golden vector; null when sizes are open. */
export async function probeInputs({ contract, goldenPath }: LoadRequest): Promise<Inputs | null> {
  const { preprocess } = contract;
  if (preprocess.kind === 'image') {
    const shape = imageTensorShape(preprocess, 1);
    return {
      [contract.inputs[0]?.name ?? '']: {
        dtype: 'FP32',
        shape,
        data: new Uint8Array(4 * elementCount(shape)),
      },
    };
  }
  // An open first axis is the batch; any other open axis needs an example.
  const shapes = contract.inputs.map((spec) =>
    spec.shape.map((size, axis) => (size === -1 && axis === 0 ? 1 : size)),
  );
  if (shapes.every((shape) => !shape.includes(-1))) {
    return Object.fromEntries(
      contract.inputs.map(({ name, dtype }, index) => {
        const shape = shapes[index] ?? [];
        return [name, { dtype, shape, data: new Uint8Array(elementCount(shape) * elementBytes(dtype)) }];
      }),
    );
  }
  if (goldenPath === undefined) return null;
  return (await readGoldenVectors(goldenPath, contract))[0]?.inputs ?? null;
}

function badInput(what: string): HoldfastError {
  return new HoldfastError('bad-request', what, { hint: 'ask the model metadata for its inputs' });
}
