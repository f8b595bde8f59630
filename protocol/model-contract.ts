// A version's whole contract, signed as one (DESIGN.md section 3): weights, pre- and post-processing,
// labels, tensors, golden vectors, budgets, lineage. Invariant: nothing of it travels apart.

import { z } from 'zod';
import { blobRefSchema, modelNameSchema, sha256Schema, versionNumberSchema } from './identifiers.ts';

/** Tensor data types by their Open Inference Protocol names. */
export const TENSOR_DTYPES = [
  'BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64', 'FP16', 'FP32', 'FP64',
] as const; // prettier-ignore
export const tensorDtypeSchema = z.enum(TENSOR_DTYPES);
export type TensorDtype = z.infer<typeof tensorDtypeSchema>;

/** One input or output of the graph; -1 is a dimension known only at run time. */
export const tensorSpecSchema = z.strictObject({
  name: z.string().min(1).max(256),
  dtype: tensorDtypeSchema,
  shape: z
    .array(
      z
        .int()
        .min(-1)
        .max(2 ** 31 - 1),
    )
    .max(8),
});
export type TensorSpec = z.infer<typeof tensorSpecSchema>;

const channelValues = z.array(z.number()).min(1).max(4);

const colourSchema = z.enum(['gray', 'rgb', 'bgr']);
export type ColourOrder = z.infer<typeof colourSchema>;

/** Encoded image or raw pixels to the model's single input: `(pixel * scale - mean) / std` per channel. */
export const imagePreprocessSchema = z
  .strictObject({
    kind: z.literal('image'),
    width: z.int().min(1).max(16_384),
    height: z.int().min(1).max(16_384),
    /** `stretch` ignores the aspect ratio, `contain` pads with 0 pixels, `cover` crops the centre. */
    resize: z.enum(['stretch', 'contain', 'cover']),
    colour: colourSchema,
    scale: z.number().positive().max(1_000),
    mean: channelValues,
    std: channelValues,
    layout: z.enum(['nchw', 'nhwc']),
  })
  .refine((p) => p.mean.length === channelsOf(p.colour) && p.std.length === channelsOf(p.colour), {
    message: 'mean and std need one value a colour channel (gray 1, rgb and bgr 3)',
  })
  .refine((p) => p.std.every((value) => value !== 0), { message: 'std must not be 0' });
export type ImagePreprocess = z.infer<typeof imagePreprocessSchema>;

export const preprocessSchema = z.discriminatedUnion('kind', [
  imagePreprocessSchema,
  z.strictObject({ kind: z.literal('none') }),
]);

export const postprocessSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('classify'),
    output: z.string().min(1).max(256),
    activation: z.enum(['softmax', 'none']),
    topK: z.int().min(1).max(1_000),
    /** Classes below this score are left out of the answer. */
    minConfidence: z.number().min(0).max(1),
  }),
  z.strictObject({ kind: z.literal('none') }),
]);
export type Postprocess = z.infer<typeof postprocessSchema>;

/** How far a device may be from the author's own outputs on the golden vectors. */
export const goldenToleranceSchema = z.strictObject({
  /** Largest absolute difference of any output element, in the output's own unit. */
  maxAbs: z.number().min(0),
  /** Share of vectors whose largest element must be at the expected place, 0 to 1. */
  minTop1Agreement: z.number().min(0).max(1),
});
export type GoldenTolerance = z.infer<typeof goldenToleranceSchema>;

export const goldenRefSchema = z.strictObject({
  ...blobRefSchema.shape,
  count: z.int().min(1).max(200),
  tolerance: goldenToleranceSchema,
});

export const budgetsSchema = z.strictObject({
  p95LatencyMs: z.number().positive().max(3_600_000),
  peakMemoryBytes: z
    .int()
    .positive()
    .max(2 ** 40),
  /** Share of inputs on which top-1 may differ from the parent version, 0 to 1. */
  maxDisagreementRate: z.number().min(0).max(1),
});

export const lineageSchema = z.strictObject({
  parents: z.array(versionNumberSchema).max(16),
  dataset: z.strictObject({ name: z.string().min(1).max(200), sha256: sha256Schema }).nullable(),
  codeSha256: sha256Schema.nullable(),
  trainingJob: z.string().max(200).nullable(),
  hyperParameters: z.record(z.string().max(100), z.union([z.string().max(1_000), z.number(), z.boolean()])),
  seed: z.int().nullable(),
  metrics: z.record(z.string().max(100), z.number()),
  createdBy: z.string().max(200),
});

export const MODEL_CONTRACT_SCHEMA = 'holdfast.model-contract/v1';

export const modelContractSchema = z
  .strictObject({
    schema: z.literal(MODEL_CONTRACT_SCHEMA),
    model: modelNameSchema,
    weights: blobRefSchema,
    golden: goldenRefSchema,
    inputs: z.array(tensorSpecSchema).min(1).max(64),
    outputs: z.array(tensorSpecSchema).min(1).max(64),
    preprocess: preprocessSchema,
    postprocess: postprocessSchema,
    labels: z.array(z.string().max(200)).max(100_000),
    budgets: budgetsSchema,
    lineage: lineageSchema,
  })
  .check((context) => {
    const { preprocess, postprocess, inputs, outputs } = context.value;
    if (preprocess.kind === 'image' && inputs.length !== 1) {
      context.issues.push({
        code: 'custom', input: inputs, path: ['inputs'],
        message: 'image pre-processing feeds exactly one input; declare one, or use preprocess.kind "none"',
      }); // prettier-ignore
    }
    if (postprocess.kind === 'classify' && !outputs.some((output) => output.name === postprocess.output)) {
      context.issues.push({
        code: 'custom', input: postprocess.output, path: ['postprocess', 'output'],
        message: `postprocess.output names no declared output (${outputs.map((o) => o.name).join(', ')})`,
      }); // prettier-ignore
    }
  });
export type ModelContract = z.infer<typeof modelContractSchema>;

export function channelsOf(colour: ColourOrder): number {
  return colour === 'gray' ? 1 : 3;
}
