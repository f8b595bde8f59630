// Inference that comes while the agent starts waits for it, so that a restart costs its callers a moment
// and no failed request.

import type { RequestHandler } from 'express';

/** POST requests wait until `ready` settles, at most `maxMs`. */
export function holdUntil(ready: Promise<unknown>, maxMs: number): RequestHandler {
  let isReady = false;
  const settled = ready.then(
    () => (isReady = true),
    () => (isReady = true),
  );
  return (request, _response, next) => {
    if (isReady || request.method !== 'POST') return next();
    let timer: NodeJS.Timeout;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, maxMs)));
    void Promise.race([settled, late]).then(() => {
      clearTimeout(timer);
      next();
    });
  };
}
