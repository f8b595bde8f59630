// Dead Simple Signing Envelope around in-toto statements: what is signed is the payload with its type, both with their
// lengths before them, so that one cannot be read as the other.
// Source: DSSE v1.0.0, protocol.md; in-toto Attestation Framework v1, statement.md.

import { z } from 'zod';

export const IN_TOTO_PAYLOAD_TYPE = 'application/vnd.in-toto+json';
export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';

const MAX_PAYLOAD_CHARACTERS = 4 * 1024 ** 2;

/** What others write beside these fields is left out. */
export const dsseEnvelopeSchema = z.object({
  payloadType: z.string().max(200),
  payload: z.base64().min(1).max(MAX_PAYLOAD_CHARACTERS),
  signatures: z
    .array(z.object({ keyid: z.string().max(200).default(''), sig: z.base64().min(1).max(1_000) }))
    .max(20),
});
export type DsseEnvelope = z.infer<typeof dsseEnvelopeSchema>;

/** The bytes that a signature is over. */
export function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const type = encoder.encode(payloadType);
  const head = encoder.encode(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `);
  const bytes = new Uint8Array(head.length + payload.length);
  bytes.set(head);
  bytes.set(payload, head.length);
  return bytes;
}

/** `text` must be base64 with its padding, as `z.base64()` checks. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** Throws a SyntaxError or TypeError for what is not JSON in UTF-8. */
export function payloadJson(payload: Uint8Array): unknown {
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
}
