// Inference that comes while the release in service is still being loaded waits for it, so that a restart
// of the agent costs its callers a moment and no failed request.

import type { RequestHandler } from 'express';

/** Requests wait until `ready` settles, at most `maxMs`. */
export function holdUntil(ready: Promise<unknown>, maxMs: number): RequestHandler {
  let isReady = false;
  const settled = ready.then(
    () => (isReady = true),
    () => (isReady = true),
  );
  return async (request, _response, next) => {
    if (!isReady && request.method === 'POST') {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, maxMs);
      await Promise.race([settled, late.promise]);
      clearTimeout(timer);
    }
    next();
  };
}
