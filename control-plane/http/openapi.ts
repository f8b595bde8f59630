// The OpenAPI 3.1 document, made from the same declarations and zod schemas that the server checks with.

import { z } from 'zod';
import {
  deviceSchema, enrolmentInfoSchema, evaluationSchema, jobSchema, liveEventSchema, modelSchema,
  modelVersionDetailSchema, modelVersionSchema, problemSchema, profileChoiceSchema, rolloutSummarySchema, telemetrySeriesSchema, variantSchema,
} from '#protocol/api.ts'; // prettier-ignore
import { claimSchema, claimSummarySchema } from '#protocol/claims.ts';
import { deviceCaSchema } from '#protocol/device-ca.ts';
import {
  candidateSchema, compressionRecipeSchema, compressionReportSchema, variantComparisonSchema,
} from '#protocol/compression.ts'; // prettier-ignore
import { ERROR_STATUS, type ErrorCode } from '#protocol/errors.ts';
import { evidenceSchema } from '#protocol/evidence.ts';
import { blobRefSchema } from '#protocol/identifiers.ts';
import { modelContractSchema } from '#protocol/model-contract.ts';
import { profileSchema } from '#protocol/profile.ts';
import { rolloutSchema } from '#protocol/rollout.ts';
import type { RouteSpec } from './route.ts';
import { SESSION_COOKIE } from './session-cookie.ts';

/** Schemas that get a name of their own in the document. */
const NAMED = {
  BlobRef: blobRefSchema, Candidate: candidateSchema, Claim: claimSchema, ClaimSummary: claimSummarySchema, DeviceCa: deviceCaSchema, CompressionRecipe: compressionRecipeSchema,
  CompressionReport: compressionReportSchema, Device: deviceSchema, EnrolmentInfo: enrolmentInfoSchema,
  Evaluation: evaluationSchema, Evidence: evidenceSchema, Job: jobSchema, LiveEvent: liveEventSchema,
  Model: modelSchema, ModelContract: modelContractSchema, ModelVersion: modelVersionSchema,
  ModelVersionDetail: modelVersionDetailSchema, Problem: problemSchema, Profile: profileSchema,
  ProfileChoice: profileChoiceSchema, Rollout: rolloutSchema, RolloutSummary: rolloutSummarySchema,
  TelemetrySeries: telemetrySeriesSchema, Variant: variantSchema,
  VariantComparison: variantComparisonSchema,
}; // prettier-ignore

export const API_BASE = '/api/v1';
const SCHEMAS = '#/components/schemas/';

type Json = Record<string, unknown>;

/** `version` is that of the package. */
export function openApiDocument(operations: readonly RouteSpec[], version: string): Json {
  const schemas = new Components();
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    const path = API_BASE + operation.path.replace(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[operation.method] = describe(operation, schemas);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast control plane',
      version,
      description: 'Models, devices, rollouts and telemetry of a fleet. Failures answer problem+json.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API token' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: SESSION_COOKIE,
          description: 'The console; behind TLS with the prefix __Host-',
        },
      },
      schemas: schemas.json(),
    },
  };
}

function describe(operation: RouteSpec, schemas: Components): Json {
  const id = operationId(operation);
  return {
    operationId: id,
    summary: operation.summary,
    tags: [operation.tag],
    ...(operation.access === 'public' ? { security: [] } : {}),
    'x-holdfast-role': operation.access,
    'x-holdfast-narrowed': operation.access !== 'public' && operation.scope !== undefined,
    parameters: [...parameters(operation.params, 'path'), ...parameters(operation.query, 'query')],
    ...requestBody(operation, id, schemas),
    responses: { ...success(operation, id, schemas), ...failures(operation) },
  };
}

/** `getModelsModelVersions` for GET /models/:model/versions. */
function operationId({ method, path }: RouteSpec): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

function parameters(schema: z.ZodType | undefined, place: 'path' | 'query'): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' });
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }));
}

function requestBody(operation: RouteSpec, id: string, schemas: Components): Json {
  const { body, requestStream } = operation;
  if (requestStream !== undefined) {
    return { requestBody: { required: true, content: { [requestStream]: {} } } };
  }
  if (body === undefined) return {};
  const schema = schemas.request(`${id}Body`, body);
  return { requestBody: { required: true, content: { 'application/json': { schema } } } };
}

function success(operation: RouteSpec, id: string, schemas: Components): Json {
  const { response, responseStream, status } = operation;
  if (responseStream !== undefined) {
    return { [status ?? 200]: { description: 'A stream', content: { [responseStream]: {} } } };
  }
  if (response === undefined) return { [status ?? 204]: { description: 'Done' } };
  const schema = schemas.response(`${id}Answer`, response);
  return { [status ?? 200]: { description: 'Done', content: { 'application/json': { schema } } } };
}

function failures(operation: RouteSpec): Json {
  const codes: ErrorCode[] = [...(operation.errors ?? [])];
  if (operation.access !== 'public') codes.push('unauthorized', 'token-expired', 'forbidden');
  codes.push('rate-limited');
  if (operation.params ?? operation.query ?? operation.body) codes.push('bad-request');
  const byStatus = Map.groupBy(new Set(codes), (code) => ERROR_STATUS[code]);
  return Object.fromEntries(
    [...byStatus].map(([status, known]) => [
      status,
      {
        description: known.join(', '),
        content: { 'application/problem+json': { schema: { $ref: `${SCHEMAS}Problem` } } },
      },
    ]),
  );
}

/** Collects named schemas; what a server answers and what it takes differ in defaults, so they are apart. */
class Components {
  readonly #requests = z.registry<{ id: string }>();
  readonly #responses = z.registry<{ id: string }>();

  constructor() {
    for (const [id, schema] of Object.entries(NAMED)) this.#responses.add(schema, { id });
  }

  request(id: string, schema: z.ZodType): Json {
    this.#requests.add(schema, { id });
    return { $ref: SCHEMAS + id };
  }

  response(id: string, schema: z.ZodType): Json {
    const known = this.#responses.get(schema)?.id;
    if (known === undefined) this.#responses.add(schema, { id });
    return { $ref: SCHEMAS + (known ?? id) };
  }

  json(): Json {
    const uri = (id: string): string => SCHEMAS + id;
    const requests = z.toJSONSchema(this.#requests, { uri, io: 'input' }).schemas;
    const responses = z.toJSONSchema(this.#responses, { uri, io: 'output' }).schemas;
    return Object.fromEntries(
      Object.entries({ ...requests, ...responses })
        .map(([id, { $id: _id, $schema: _schema, ...schema }]): [string, Json] => [id, schema])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }
}
