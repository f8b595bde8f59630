// The web console as static files. Its pages are addresses of one application, so that every path without
// a file gets index.html; without a build it says how to make one.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import express, { type RequestHandler, type Router } from 'express';

const NOT_BUILT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Holdfast</title>
<h1>The console is not built</h1>
<p>The control plane runs; its API is under <a href="/api/v1/openapi.json">/api/v1</a>.
<p>Build the console with <code>npm run build:console</code> and load this page again.
</html>
`;

/** `directory` holds the built console, or nothing yet. */
export function consoleFiles(directory: string): Router {
  const router = express.Router();
  // Vite names files under assets/ by their content.
  router.use(
    '/assets',
    express.static(join(directory, 'assets'), {
      immutable: true,
      maxAge: '1y',
      index: false,
      redirect: false,
    }),
  );
  router.use(
    express.static(directory, {
      index: false,
      redirect: false,
      setHeaders: (response) => response.setHeader('Cache-Control', 'no-cache'),
    }),
  );
  router.use(application(join(directory, 'index.html')));
  return router;
}

function application(indexPath: string): RequestHandler {
  return (request, response, next) => {
    const isPage =
      (request.method === 'GET' || request.method === 'HEAD') && request.accepts(['html', 'json']) === 'html';
    if (!isPage || /\.\w+$/.test(request.path)) return next();
    response.setHeader('Cache-Control', 'no-cache');
    if (!existsSync(indexPath)) return void response.status(503).type('html').send(NOT_BUILT);
    response.sendFile(indexPath, { cacheControl: false });
  };
}
