// An inference request of the Open Inference Protocol v2, JSON or with the binary tensor extension, to what
// serving takes. Source: KServe "Open Inference Protocol (V2)", Triton "Binary Tensor Data Extension".

import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { HoldfastError } from '#protocol/errors.ts';
import { TENSOR_DTYPES, type ModelContract } from '#protocol/model-contract.ts';
import type { Tensor } from '../ports/runtime.ts';
import type { ServeRequest } from '../supervisor/serving/serving-types.ts';
import { elementBytes, elementCount } from '../worker/tensor-types.ts';
import { packElements, tensorFromJson } from './oip-tensors.ts';

/** A picture of 1024 x 1024 pixels in decimal digits; the binary form has its own, higher bound. */
const MAX_JSON_BYTES = 32 * 1024 ** 2;
const MAX_BRACKETS = 500_000;

const parametersSchema = z
  .record(z.string().max(100), z.union([z.string().max(1_000), z.number(), z.boolean()]))
  .optional();

const inputSchema = z.object({
  name: z.string().min(1).max(256),
  datatype: z.enum([...TENSOR_DTYPES, 'BYTES']),
  shape: z
    .array(
      z
        .int()
        .min(0)
        .max(2 ** 31 - 1),
    )
    .max(8),
  parameters: parametersSchema,
  data: z.unknown().optional(),
});

const requestSchema = z.object({
  id: z.string().max(256).optional(),
  parameters: parametersSchema,
  inputs: z.array(inputSchema).min(1).max(64),
  outputs: z
    .array(z.object({ name: z.string().max(256), parameters: parametersSchema }))
    .max(66)
    .optional(),
});
type RequestBody = z.infer<typeof requestSchema>;

export interface OipRequest {
  readonly serve: ServeRequest;
  readonly id: string | undefined;
  /** Outputs by name and whether each goes as binary; null asks for all. */
  readonly outputs: ReadonlyMap<string, boolean> | null;
  /** How outputs go that say nothing themselves. */
  readonly isBinaryByDefault: boolean;
}

/**
 * `jsonBytes` is the Inference-Header-Content-Length, null when the whole body is JSON, 0 when it is one encoded
 * image and nothing else. Throws `bad-request` or `body-too-large`.
 */
export function parseInferRequest(
  body: Buffer,
  jsonBytes: number | null,
  contract: ModelContract,
): OipRequest {
  if (jsonBytes === 0) return encodedImage(body, contract);
  if (jsonBytes !== null && jsonBytes > body.length) {
    throw bad(`Inference-Header-Content-Length is ${jsonBytes}, the body has ${body.length} bytes`);
  }
  const request = parseJson(jsonBytes === null ? body : body.subarray(0, jsonBytes));
  const isBinaryByDefault = request.parameters?.['binary_data_output'] === true;
  const truth = request.parameters?.['ground_truth'];
  const inputs = inputsOf(request, jsonBytes === null ? Buffer.alloc(0) : body.subarray(jsonBytes), contract);
  return {
    serve: { inputs, ...(truth === undefined ? {} : { groundTruth: String(truth) }) },
    id: request.id,
    outputs: request.outputs === undefined ? null : wantedOf(request.outputs, isBinaryByDefault),
    isBinaryByDefault,
  };
}

function parseJson(bytes: Buffer): RequestBody {
  requireModest(bytes);
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new HoldfastError('bad-request', 'the request is not JSON', {
      hint: 'for binary tensors set Inference-Header-Content-Length to the length of the JSON part',
      cause,
    });
  }
  const parsed = requestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw bad(`${issue?.path.join('.') ?? 'request'}: ${issue?.message ?? 'invalid'}`);
}

/** Every bracket becomes an object many times its size: they are counted before any is made. */
function requireModest(bytes: Buffer): void {
  if (bytes.length > MAX_JSON_BYTES) {
    throw new HoldfastError('body-too-large', `the JSON is over the limit of ${MAX_JSON_BYTES} bytes`, {
      hint: 'send large tensors in the binary form: Inference-Header-Content-Length and binary_data_size',
    });
  }
  if (!isUtf8(bytes)) throw bad('the JSON is not UTF-8');
  let brackets = 0;
  for (const byte of bytes) if (byte === 0x5b || byte === 0x7b) brackets++;
  if (brackets > MAX_BRACKETS) throw bad(`the JSON has more than ${MAX_BRACKETS} arrays and objects`);
}

function inputsOf(request: RequestBody, binary: Buffer, contract: ModelContract): Record<string, Tensor> {
  const inputs: Record<string, Tensor> = {};
  const known = inputNames(contract);
  let at = 0;
  for (const { name, datatype, shape, parameters, data } of request.inputs) {
    if (!known.has(name)) throw bad(`the model has no input ${name}; it has ${[...known].join(', ')}`);
    if (inputs[name] !== undefined) throw bad(`input ${name} is given twice`);
    const sizeBytes = parameters?.['binary_data_size'];
    if (sizeBytes === undefined) {
      inputs[name] = tensorFromJson(name, datatype, shape, data, parameters?.['content_type'] === 'base64');
      continue;
    }
    if (
      typeof sizeBytes !== 'number' ||
      !Number.isSafeInteger(sizeBytes) ||
      sizeBytes < 0 ||
      at + sizeBytes > binary.length
    ) {
      throw bad(
        `input ${name}: binary_data_size ${sizeBytes} does not fit the ${binary.length - at} bytes that are left`,
      );
    }
    if (datatype !== 'BYTES' && sizeBytes !== elementCount(shape) * elementBytes(datatype)) {
      throw bad(
        `input ${name}: ${datatype} [${shape.join(', ')}] needs ${elementCount(shape) * elementBytes(datatype)} bytes, binary_data_size is ${sizeBytes}`,
      );
    }
    inputs[name] = { dtype: datatype, shape, data: binary.subarray(at, at + sizeBytes) };
    at += sizeBytes;
  }
  if (at !== binary.length) throw bad(`${binary.length - at} bytes of the body belong to no input`);
  return inputs;
}

/** The model's own inputs, and `image` where the contract prepares images. */
function inputNames(contract: ModelContract): ReadonlySet<string> {
  const own = contract.inputs.map(({ name }) => name);
  return new Set(contract.preprocess.kind === 'image' ? ['image', ...own] : own);
}

function wantedOf(
  outputs: NonNullable<RequestBody['outputs']>,
  isBinaryByDefault: boolean,
): Map<string, boolean> {
  return new Map(
    outputs.map(({ name, parameters }) => {
      const asked = parameters?.['binary_data'];
      return [name, typeof asked === 'boolean' ? asked : isBinaryByDefault];
    }),
  );
}

function encodedImage(body: Buffer, contract: ModelContract): OipRequest {
  if (contract.preprocess.kind !== 'image')
    throw bad('a body without JSON is only taken by models that prepare images');
  const image: Tensor = { dtype: 'BYTES', shape: [1], data: packElements([body]) };
  return { serve: { inputs: { image } }, id: undefined, outputs: null, isBinaryByDefault: false };
}

function bad(what: string): HoldfastError {
  return new HoldfastError('bad-request', what, {
    hint: 'see the model metadata for names, types and shapes',
  });
}
