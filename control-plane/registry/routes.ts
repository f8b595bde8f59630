// REST operations on models, versions, variants, jobs and profiles.

import { z } from 'zod';
import {
  createVariantsSchema,
  createVersionSchema,
  createVersionSignatureSchema,
  jobSchema,
  modelSchema,
  modelVersionDetailSchema,
  modelVersionSchema,
} from '#protocol/api.ts';
import { HoldfastError } from '#protocol/errors.ts';
import { modelNameSchema } from '#protocol/identifiers.ts';
import { profileSchema } from '#protocol/profile.ts';
import { provenanceSchema } from '#protocol/provenance.ts';
import { versionParameter } from '../http/parameters.ts';
import { apiRouter, route, type ApiRouter } from '../http/route.ts';
import type { Registry } from './service.ts';

const tag = 'models';
const modelParams = z.strictObject({ model: modelNameSchema });
const versionParams = z.strictObject({ model: modelNameSchema, version: versionParameter });
const jobParams = z.strictObject({ id: z.string().min(1).max(64) });
const listOf = <S extends z.ZodType>(schema: S) => z.strictObject({ items: z.array(schema) });

/** A contract may list a hundred thousand labels. */
export const MAX_CONTRACT_BYTES = 16 * 1024 ** 2;

/** A signature of 256 KiB and provenance of 1 MiB. */
const MAX_SIGNED_BYTES = 2 * 1024 ** 2;

export function registryRoutes(registry: Registry): ApiRouter {
  const router = apiRouter();
  modelOperations(router, registry);
  versionOperations(router, registry);
  jobOperations(router, registry);
  route(
    router,
    {
      method: 'get', path: '/profiles', tag: 'profiles', access: 'viewer', scope: 'handler',
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
    {
      method: 'get', path: '/models', tag, access: 'viewer', scope: 'handler',
      summary: 'All models', response: listOf(modelSchema),
    },
    async ({ permission }) => ({
      items: (await registry.listModels()).filter(({ name }) => permission.may('viewer', { model: name })),
    }),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/models/:model', tag, access: 'viewer', summary: 'One model',
      scope: ({ params }) => ({ model: params.model }),
      params: modelParams, response: modelSchema, errors: ['not-found'],
    },
    ({ params }) => registry.getModel(params.model),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/models/:model/versions', tag, access: 'viewer',
      scope: ({ params }) => ({ model: params.model }),
      summary: 'Versions of a model, newest first',
      params: modelParams, response: listOf(modelVersionSchema), errors: ['not-found'],
    },
    async ({ params }) => ({ items: await registry.listVersions(params.model) }),
  ); // prettier-ignore
}

function versionOperations(router: ApiRouter, registry: Registry): void {
  route(
    router,
    {
      method: 'post', path: '/models/:model/versions', tag, access: 'releaser', status: 201,
      scope: ({ params }) => ({ model: params.model }),
      summary: 'Imports a version, whose weights and golden vectors are uploaded already',
      params: modelParams,
      body: createVersionSchema,
      maxBodyBytes: MAX_CONTRACT_BYTES,
      invalidBodyCode: 'contract-invalid',
      response: modelVersionSchema,
      errors: [
        'contract-invalid', 'contract-mismatch', 'golden-invalid', 'length-mismatch', 'not-found',
        'onnx-external-data', 'onnx-malformed', 'onnx-opset-unsupported', 'onnx-too-large', 'signature-invalid',
        'signature-missing', 'version-exists',
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
      method: 'get', path: '/models/:model/versions/:version', tag, access: 'viewer',
      scope: ({ params }) => ({ model: params.model }),
      summary: 'One version with its contract, variants, evaluations and all candidates that were tried',
      params: versionParams, response: modelVersionDetailSchema, errors: ['not-found'],
    },
    ({ params }) => registry.getVersionDetail(params.model, params.version),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/models/:model/versions/:version/variants', tag, access: 'releaser', status: 202,
      scope: ({ params }) => ({ model: params.model }),
      summary: 'Starts the job that compresses and evaluates a version for profiles',
      params: versionParams, body: createVariantsSchema, response: jobSchema,
      errors: ['not-found', 'profile-unknown', 'dataset-invalid'],
    },
    ({ params, body, actor }) => registry.createVariants(params.model, params.version, body, actor),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/models/:model/versions/:version/sign', tag, access: 'releaser',
      scope: ({ params }) => ({ model: params.model }),
      summary: 'Releases every variant that is not released yet, once the authors signed the version',
      params: versionParams, response: modelVersionSchema,
      errors: ['not-found', 'conflict', 'signature-invalid', 'signature-missing', 'version-exists'],
    },
    ({ params, actor }) => registry.signVersion(params.model, params.version, actor),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/models/:model/versions/:version/signature', tag, access: 'releaser',
      scope: ({ params }) => ({ model: params.model }),
      summary: "Takes the authors' OpenSSF signature of a version, unless it has a right one",
      params: versionParams, body: createVersionSignatureSchema, maxBodyBytes: MAX_SIGNED_BYTES,
      response: modelVersionSchema, errors: ['not-found', 'signature-invalid'],
    },
    ({ params, body, actor }) => registry.addSignature(params.model, params.version, body, actor),
  ); // prettier-ignore
  route(
    router,
    {
      method: 'get', path: '/models/:model/versions/:version/provenance', tag, access: 'viewer',
      scope: ({ params }) => ({ model: params.model }),
      summary: 'Where a version and its variants come from, verified link by link',
      params: versionParams, response: provenanceSchema, errors: ['not-found'],
    },
    ({ params }) => registry.provenance(params.model, params.version),
  ); // prettier-ignore
}

function jobOperations(router: ApiRouter, registry: Registry): void {
  route(
    router,
    {
      method: 'get', path: '/jobs/:id', tag: 'jobs', access: 'viewer', scope: 'handler', summary: 'How far a job is, or how it ended',
      params: jobParams, response: jobSchema, errors: ['not-found'],
    },
    async ({ params, permission }) => {
      const job = await registry.getJob(params.id);
      permission.require('viewer', { model: job.model });
      return job;
    },
  ); // prettier-ignore
  route(
    router,
    {
      method: 'post', path: '/jobs/:id/cancel', tag: 'jobs', access: 'operator', scope: 'handler', summary: 'Ends a job that has not ended',
      params: jobParams, response: jobSchema, errors: ['not-found'],
    },
    async ({ params, actor, permission }) => {
      permission.require('operator', { model: (await registry.getJob(params.id)).model });
      return await registry.cancelJob(params.id, actor);
    },
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
