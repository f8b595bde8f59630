// The engineer's page: plain files of this folder. Nothing of it comes from elsewhere, and the content
// security policy holds it to that.

import { fileURLToPath } from 'node:url';
import express, { type Router } from 'express';

const FOLDER = fileURLToPath(new URL('./page/', import.meta.url));

const POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function pageRoutes(): Router {
  const router = express.Router();
  router.use('/page', express.static(FOLDER, { index: false, redirect: false, setHeaders: secure }));
  router.get('/', (_request, response) => {
    secure(response);
    response.setHeader('Content-Security-Policy', POLICY);
    response.sendFile('page.html', { root: FOLDER, cacheControl: false });
  });
  return router;
}

function secure(response: { setHeader(name: string, value: string): unknown }): void {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('Cache-Control', 'no-cache');
}
