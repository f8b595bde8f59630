// A known address asked in a way it does not know: 405 with `Allow`, for every declared operation.

import type { Router } from 'express';
import { HoldfastError } from '#protocol/errors.ts';
import type { RouteSpec } from './route.ts';

/** Must come after the operations themselves. */
export function refuseOtherMethods(router: Router, operations: readonly RouteSpec[]): void {
  const methodsByPath = new Map<string, Set<string>>();
  for (const { path, method } of operations) {
    const methods = methodsByPath.get(path) ?? new Set();
    methods.add(method.toUpperCase());
    if (method === 'get') methods.add('HEAD');
    methodsByPath.set(path, methods);
  }
  for (const [path, methods] of methodsByPath) {
    const allowed = [...methods].sort().join(', ');
    router.all(path, (request, response) => {
      response.setHeader('Allow', allowed);
      throw new HoldfastError(
        'method-not-allowed',
        `${request.method} does not go with ${request.baseUrl}${request.path}`,
        {
          hint: `it takes ${allowed}`,
        },
      );
    });
  }
}
