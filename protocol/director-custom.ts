// How a Director order travels in TUF metadata. TUF signs OLPC canonical JSON, which has no fractions, and
// a deployment policy has some: so the policy goes as the text of its canonical JSON.

import { z } from 'zod';
import { canonicalJson } from './canonical-json.ts';
import { deploymentPolicySchema, directorCustomSchema } from './release.ts';
import type { DirectorCustom } from './release.ts';

const wireSchema = directorCustomSchema.extend({ policy: z.string().max(4_096) });
export type DirectorCustomWire = z.infer<typeof wireSchema>;

export function encodeDirectorCustom(custom: DirectorCustom): DirectorCustomWire {
  return { ...custom, policy: canonicalJson(custom.policy) };
}

/** Throws a ZodError or SyntaxError for anything that is not an encoded order. */
export function decodeDirectorCustom(wire: unknown): DirectorCustom {
  const { policy, ...rest } = wireSchema.parse(wire);
  return { ...rest, policy: deploymentPolicySchema.parse(JSON.parse(policy)) };
}
