// What a parent and its child job say to each other over IPC. Tensors and models never travel here: they are
// files in the job's scratch folder.

import { z } from 'zod';
import { ERROR_STATUS, type ErrorCode } from '#protocol/errors.ts';

/** How far a job is, in its own steps. */
export interface JobProgress {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
}

const errorCodeSchema = z.string().refine((code): code is ErrorCode => Object.hasOwn(ERROR_STATUS, code));

/** From the child to its parent. */
export const jobMessageSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('progress'),
    phase: z.string().max(100),
    done: z.number().min(0),
    total: z.number().min(0),
  }),
  z.strictObject({ kind: z.literal('done'), result: z.unknown() }),
  z.strictObject({
    kind: z.literal('failed'),
    code: errorCodeSchema,
    message: z.string().max(10_000),
    hint: z.string().max(1_000).optional(),
  }),
]);
export type JobMessage = z.infer<typeof jobMessageSchema>;
