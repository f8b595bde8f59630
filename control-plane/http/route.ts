// Declares one operation of the REST API: its address, schemas and handler in one place, so that checks,
// errors and the OpenAPI document all come from the same declaration.

import express, { type Request, type RequestHandler, type Response, type Router } from 'express';
import type { z } from 'zod';
import type { ErrorCode } from '#protocol/errors.ts';
import { actorOf, ANONYMOUS, requireAccess, type Access } from './auth.ts';
import { jsonBody } from './json-body.ts';
import { permissionOf, type Permission, type Scope } from './permission.ts';
import { validated } from './validated.ts';

export type HttpMethod = 'get' | 'head' | 'post' | 'put' | 'delete';
type StreamType = 'application/octet-stream' | 'text/event-stream';

export interface RouteSpec<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
> {
  readonly method: HttpMethod;
  /** Below /api/v1, with `:name` for parameters. */
  readonly path: `/${string}`;
  readonly summary: string;
  /** Groups operations in the document: `devices`, `rollouts`. */
  readonly tag: string;
  /** Who may, decided for each operation by itself. */
  readonly access: Access;
  /** Objects of text values in, anything out: see parameters.ts for numbers. */
  readonly params?: P;
  readonly query?: Q;
  /** JSON body. */
  readonly body?: B;
  /** 1 MiB when left out. */
  readonly maxBodyBytes?: number;
  /** Code of the error for a body that does not fit its schema; `bad-request` when left out. */
  readonly invalidBodyCode?: ErrorCode;
  /** The handler reads the request as a stream of this type by itself. */
  readonly requestStream?: StreamType;
  /** JSON answer; left out, the answer has no body (204). */
  readonly response?: R;
  /** The handler writes a stream of this type to the response by itself. */
  readonly responseStream?: StreamType;
  /**
   * What a request is on, for grants that are narrowed to teams or to a group of devices: left out, they are refused.
   * `handler`: any grant with the role is let in, and the handler asks `permission` for each thing it touches.
   */
  readonly scope?:
    | 'handler'
    | ((input: { params: z.output<P>; query: z.output<Q>; body: z.output<B> }) => Scope);
  /** Status of success when it is not 200 (204 without a body). */
  readonly status?: 200 | 201 | 202 | 204 | 303;
  /** Codes this operation may answer beyond those that any may. */
  readonly errors?: readonly ErrorCode[];
}

export interface RouteContext<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** For the audit log: `token:<name>`, or `anonymous` on public routes. */
  readonly actor: string;
  readonly permission: Permission;
  readonly request: Request;
  readonly response: Response;
}

/** An Express router that remembers what was declared on it. */
export interface ApiRouter extends Router {
  readonly operations: RouteSpec[];
}

export function apiRouter(): ApiRouter {
  return Object.assign(express.Router({ strict: false, caseSensitive: true }), { operations: [] });
}

/**
 * Adds an operation. The handler gets checked parameters, query and body, and its answer is sent as JSON;
 * what it throws is answered as problem+json.
 */
export function route<
  P extends z.ZodType = z.ZodUndefined,
  Q extends z.ZodType = z.ZodUndefined,
  B extends z.ZodType = z.ZodUndefined,
  R extends z.ZodType = z.ZodVoid,
>(
  router: ApiRouter,
  spec: RouteSpec<P, Q, B, R>,
  handler: (
    context: RouteContext<z.output<P>, z.output<Q>, z.output<B>>,
  ) => Promise<z.output<R>> | z.output<R>,
): void {
  router.operations.push(spec);
  const { access } = spec;
  const run: RequestHandler = async (request, response) => {
    const input = {
      params: parse(spec.params, request.params, 'path'),
      query: parse(spec.query, request.query, 'query'),
      body: parse(spec.body, request.body, 'body', spec.invalidBodyCode),
    };
    const permission = permissionOf(response);
    if (access !== 'public' && typeof spec.scope === 'function') {
      await permission.requireOn(access, spec.scope(input));
    }
    const actor = actorOf(response)?.label ?? ANONYMOUS;
    const answer = await handler({ ...input, actor, permission, request, response });
    if (spec.responseStream !== undefined || response.headersSent) return;
    if (spec.response === undefined) response.status(spec.status ?? 204).end();
    else response.status(spec.status ?? 200).json(answer);
  };
  const body = spec.body === undefined ? [] : jsonBody(spec.maxBodyBytes);
  router[spec.method](spec.path, requireAccess(access, spec.scope !== undefined), ...body, run);
}

function parse<S extends z.ZodType>(
  schema: S | undefined,
  value: unknown,
  what: string,
  code?: ErrorCode,
): z.output<S> {
  // Without a schema the context's member has type undefined.
  if (schema === undefined) return undefined as z.output<S>;
  return validated(schema, value, what, code);
}
