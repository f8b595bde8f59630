// The device authority as people see it: which keys sign, and how far the change to a new one has come.

import { z } from 'zod';
import { counterSchema, deviceIdSchema, sha256Schema, timestampMsSchema } from './identifiers.ts';

export const deviceCaSchema = z.strictObject({
  /** Newest first; two while one is being replaced. */
  authorities: z.array(
    z.strictObject({
      /** sha256 of its public key: what claims made since then pin. */
      keySha256: sha256Schema,
      expiresAtMs: timestampMsSchema,
    }),
  ),
  isKeyEncrypted: z.boolean(),
  /** Devices that may connect and have no certificate of the newest authority yet. */
  waitingFor: counterSchema,
  /** Some of them, by id. */
  waiting: z.array(deviceIdSchema).max(20),
  /** For brokers outside: what to believe, and what not to believe any more. */
  caPem: z.string(),
  crlPem: z.string(),
});
export type DeviceCaStatus = z.infer<typeof deviceCaSchema>;
