// REST operations on models, versions, variants, jobs and profiles.

import { z } from 'zod';
import {
  createVariantsSchema,
  createVersionSchema,
  jobSchema,
  modelSchema,
  modelVersionDetailSchema,
  modelVersionSchema,
} from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { modelNameSchema } from '#protocol/identifiers.ts';
import { profileSchema } from '#protocol/profile.ts';
import { versionParameter } from '../http/parameters.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import type { Registry } from './service.ts';

const tag = 'models';
const modelParams = z.strictObject({ model: modelNameSchema });
const versionParams = z.strictObject({ model: modelNameSchema, version: versionParameter });
const jobParams = z.strictObject({ id: z.string().min(1).max(64) });
const listOf = <S extends z.ZodType>(schema: S) => z.strictObject({ items: z.array(schema) });

/** A contract may list a hundred thousand labels. */
const MAX_CONTRACT_BYTES = 16 * 1024 ** 2;

export function registryRoutes(registry: Registry): ApiRouter {
  const router = apiRouter();
  modelOperations(router, registry);
  versionOperations(router, registry);
  jobOperations(router, registry);
  route(
    router,
    {
      method: 'get', path: '/profiles', tag: 'profiles',
      summary: 'The device classes that models can be compressed for',
      response: listOf(profileSchema),
    },
    () => ({ items: [...registry.profiles.values()] }),
  ); // prettier-ignore
  return router;
}

function modelOperations(router: ApiRouter, registry: Registry): void {
  route(
    router,
    { method: 'get', path: '/models', tag, summary: 'All models', response: listOf(modelSchema) },
    async () => ({ items: await registry.listModels() }),
  );
  route(
    router,
    {
      method: 'get', path: '/models/:model', tag, summary: 'One model',
      params: modelParams, response: modelSchema, errors: ['not-found'],
    },
    ({ params }) => registry.getModel(params.model),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/models/:model/versions', tag, summary: 'Versions of a model, newest first',
      params: modelParams, response: listOf(modelVersionSchema), errors: ['not-found'],
    },
    async ({ params }) => ({ items: await registry.listVersions(params.model) }),
  ); // prettier-ignore
}

function versionOperations(router: ApiRouter, registry: Registry): void {
  route(
    router,
    {
      method: 'post', path: '/models/:model/versions', tag, status: 201,
      summary: 'Imports a version, whose weights and golden vectors are uploaded already',
      params: modelParams,
      body: createVersionSchema,
      maxBodyBytes: MAX_CONTRACT_BYTES,
      invalidBodyCode: 'contract-invalid',
      response: modelVersionSchema,
      errors: [
        'contract-invalid', 'contract-mismatch', 'golden-invalid', 'length-mismatch', 'not-found',
        'onnx-external-data', 'onnx-malformed', 'onnx-opset-unsupported', 'onnx-too-large', 'version-exists',
      ],
    },
    ({ params, body, actor }) => {
      if (body.contract.model !== params.model) throw otherModel(params.model, body.contract.model);
      return registry.createVersion(body, actor);
    },
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/models/:model/versions/:version', tag,
      summary: 'One version with its contract, variants, evaluations and all candidates that were tried',
      params: versionParams, response: modelVersionDetailSchema, errors: ['not-found'],
    },
    ({ params }) => registry.getVersionDetail(params.model, params.version),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/models/:model/versions/:version/variants', tag, status: 202,
      summary: 'Starts the job that compresses and evaluates a version for profiles',
      params: versionParams, body: createVariantsSchema, response: jobSchema,
      errors: ['not-found', 'profile-unknown', 'dataset-invalid'],
    },
    ({ params, body, actor }) => registry.createVariants(params.model, params.version, body, actor),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/models/:model/versions/:version/sign', tag,
      summary: 'Signs every variant that is not signed yet',
      params: versionParams, response: modelVersionSchema, errors: ['not-found', 'conflict'],
    },
    ({ params, actor }) => registry.signVersion(params.model, params.version, actor),
  ); // prettier-ignore
}

function jobOperations(router: ApiRouter, registry: Registry): void {
  route(
    router,
    {
      method: 'get', path: '/jobs/:id', tag: 'jobs', summary: 'How far a job is, or how it ended',
      params: jobParams, response: jobSchema, errors: ['not-found'],
    },
    ({ params }) => registry.getJob(params.id),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/jobs/:id/cancel', tag: 'jobs', summary: 'Ends a job that has not ended',
      params: jobParams, response: jobSchema, errors: ['not-found'],
    },
    ({ params, actor }) => registry.cancelJob(params.id, actor),
  ); // prettier-ignore
}

function otherModel(inPath: string, inContract: string): HoldfastError {
  return new HoldfastError(
    'contract-invalid',
    `the contract is of the model ${inContract}, the address of ${inPath}`,
    {
      hint: `POST it to /api/v1/models/${inContract}/versions`,
    },
  );
}
