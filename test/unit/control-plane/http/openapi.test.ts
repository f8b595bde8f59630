import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openApiDocument } from '#control-plane/http/openapi.ts';
import { versionParameter } from '#control-plane/http/parameters.ts';
import { apiRouter, route } from '#control-plane/http/route.ts';
import { deviceSchema } from '#protocol/api.ts';

type Json = Record<string, unknown>;

function document() {
  const router = apiRouter();
  route(
    router,
    {
      method: 'post', path: '/things/:version', tag: 'things', summary: 'Make one', access: 'releaser', status: 201,
      params: z.strictObject({ version: versionParameter }),
      query: z.strictObject({ dry: z.enum(['yes', 'no']).optional() }),
      body: z.strictObject({ size: z.int().default(3) }),
      response: z.strictObject({ size: z.int().default(3) }),
      errors: ['conflict', 'version-exists'],
    },
    () => ({ size: 1 }),
  ); // prettier-ignore
  route(
    router,
    { method: 'get', path: '/devices', tag: 'devices', summary: 'All', access: 'public',
      response: z.strictObject({ items: z.array(deviceSchema) }) },
    () => ({ items: [] }),
  ); // prettier-ignore
  return openApiDocument(router.operations, '1.2.3') as {
    openapi: string;
    paths: Record<string, Record<string, Json>>;
    components: { schemas: Record<string, Json> };
  };
}

/** Every $ref in a value. */
function refsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    key === '$ref' ? [String(member)] : refsOf(member),
  );
}

describe('the OpenAPI document', () => {
  it('describes an operation by the schemas it is checked with', () => {
    const { openapi, paths } = document();
    expect(openapi).toBe('3.1.0');
    expect(paths['/api/v1/things/{version}']?.['post']).toMatchObject({
      operationId: 'postThingsVersion',
      'x-holdfast-role': 'releaser',
      parameters: [
        { name: 'version', in: 'path', required: true, schema: { type: 'string' } },
        { name: 'dry', in: 'query', required: false, schema: { enum: ['yes', 'no'] } },
      ],
      requestBody: {
        content: { 'application/json': { schema: { $ref: '#/components/schemas/postThingsVersionBody' } } },
      },
      responses: {
        201: {
          content: {
            'application/json': { schema: { $ref: '#/components/schemas/postThingsVersionAnswer' } },
          },
        },
        400: { description: 'bad-request' },
        401: { description: 'unauthorized, token-expired' },
        403: { description: 'forbidden' },
        409: { description: 'conflict, version-exists' },
      },
    });
  });

  it('knows that a default may be left out of a request, but is always in an answer', () => {
    const { schemas } = document().components;
    expect(schemas['postThingsVersionBody']).not.toHaveProperty('required');
    expect(schemas['postThingsVersionAnswer']).toMatchObject({ required: ['size'] });
  });

  it('names the resources of the protocol, and says which operations are public', () => {
    const { paths, components } = document();
    expect(paths['/api/v1/devices']?.['get']).toMatchObject({ security: [] });
    expect(components.schemas['getDevicesAnswer']).toMatchObject({
      properties: { items: { items: { $ref: '#/components/schemas/Device' } } },
    });
  });

  it('refers to nothing that it does not hold', () => {
    const whole = document();
    for (const ref of refsOf(whole)) {
      expect(ref).toMatch(/^#\/components\/schemas\/\w+$/);
      expect(Object.keys(whole.components.schemas)).toContain(ref.split('/').at(-1));
    }
  });
});
