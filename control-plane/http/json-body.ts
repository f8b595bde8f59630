// Reads a JSON body within bounds: bytes, depth, members, and no key that could reach a prototype.

import express, { type RequestHandler } from 'express';
import { HoldfastError } from '#protocol/errors.ts';

export const DEFAULT_MAX_BODY_BYTES = 1024 ** 2;
const MAX_DEPTH = 32;
const MAX_VALUES = 1_000_000;
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** Middlewares that leave the parsed body on `request.body`. Errors: `bad-request`, `body-too-large`, `media-type-unsupported`. */
export function jsonBody(maxBytes: number = DEFAULT_MAX_BODY_BYTES): RequestHandler[] {
  return [
    requireJson,
    express.json({ limit: maxBytes, strict: true, type: 'application/json' }),
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

/** Throws `bad-request` for values nested too deep, too many, or with keys that could reach a prototype. */
export function assertTame(body: unknown): void {
  const pending: { value: unknown; depth: number }[] = [{ value: body, depth: 0 }];
  let values = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value, depth } = next;
    if (++values > MAX_VALUES) throw wild(`more than ${MAX_VALUES} values`);
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= MAX_DEPTH) throw wild(`nested deeper than ${MAX_DEPTH}`);
    for (const key of Object.keys(value)) {
      if (FORBIDDEN_KEYS.has(key)) throw wild(`the key ${key}`);
      pending.push({ value: (value as Record<string, unknown>)[key], depth: depth + 1 });
    }
  }
}

function wild(what: string): HoldfastError {
  return new HoldfastError('bad-request', `the JSON body has ${what}, which nothing here needs`, {
    hint: 'the request and its fields are described in /api/v1/openapi.json',
  });
}
