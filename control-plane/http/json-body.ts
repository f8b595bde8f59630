// Reads a JSON body within bounds: bytes, UTF-8, and what protocol/tame-json.ts says.

import { isUtf8 } from 'node:buffer';
import express, { type RequestHandler } from 'express';
import { HoldfastError } from '#protocol/errors.ts';
import { wildnessOf } from '#protocol/tame-json.ts';

export const DEFAULT_MAX_BODY_BYTES = 1024 ** 2;
const LIMITS = { maxDepth: 32, maxValues: 1_000_000 };

/** Middlewares that leave the parsed body on `request.body`. Errors: `bad-request`, `body-too-large`, `media-type-unsupported`. */
export function jsonBody(maxBytes: number = DEFAULT_MAX_BODY_BYTES): RequestHandler[] {
  return [
    requireJson,
    express.json({ limit: maxBytes, strict: true, type: 'application/json', verify: requireUtf8 }),
    requireTame,
  ];
}

const requireJson: RequestHandler = (request, _response, next) => {
  // `is` answers null when there is no body at all.
  if (request.is('application/json') !== false) return next();
  throw new HoldfastError('media-type-unsupported', 'the body is not declared as JSON', {
    hint: 'send it with `Content-Type: application/json`',
  });
};

const requireTame: RequestHandler = (request, _response, next) => {
  assertTame(request.body);
  next();
};

/** Without it, bytes that are no text would be replaced unseen. */
function requireUtf8(_request: unknown, _response: unknown, body: Buffer): void {
  if (!isUtf8(body)) throw new Error('it is not UTF-8');
}

/** Throws `bad-request` for what `wildnessOf` finds. */
export function assertTame(body: unknown): void {
  const what = wildnessOf(body, LIMITS);
  if (what === null) return;
  throw new HoldfastError('bad-request', `the JSON body has ${what}, which nothing here needs`, {
    hint: 'the request and its fields are described in /api/v1/openapi.json',
  });
}
