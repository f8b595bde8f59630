// The HTTP application for people and programs, put together from the routes of all parts. It never
// listens by itself. INVARIANT: nothing under /api/v1 reads a body before the request's credentials were
// checked, and every answer that is not a success is problem+json.

import express, { type Express, type RequestHandler, type Router } from 'express';
import helmet from 'helmet';
import { sql } from 'kysely';
import { authenticate, type AuthenticateDeps } from './http/authenticate.ts';
import { consoleFiles } from './http/console.ts';
import { hostCheck } from './http/host-check.ts';
import { refuseOtherMethods } from './http/method-not-allowed.ts';
import { API_BASE, openApiDocument } from './http/openapi.ts';
import { notFound, problemHandler } from './http/problem.ts';
import { addressBudget, callerBudgets, type RateBudgets } from './http/rate-budgets.ts';
import type { ApiRouter } from './http/route.ts';
import type { Logger } from './logger.ts';
import type { Store } from './store/database.ts';

const PERMISSIONS_POLICY = [
  'camera',
  'microphone',
  'geolocation',
  'usb',
  'serial',
  'bluetooth',
  'payment',
  'display-capture',
]
  .map((feature) => `${feature}=()`)
  .join(', ');

export interface AppDeps extends AuthenticateDeps {
  readonly store: Store;
  readonly log: Logger;
  /** The routes of every part of the control plane. */
  readonly routers: readonly ApiRouter[];
  /** Host names that this server answers for, beside localhost and addresses written as numbers. */
  readonly hostNames: readonly string[];
  /** Addresses or networks of proxies whose X-Forwarded-* is believed. */
  readonly trustedProxies: readonly string[];
  readonly budgets: RateBudgets;
  /** Folder of the built console. */
  readonly consoleDir: string;
  readonly packageVersion: string;
}

export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.set('trust proxy', [...deps.trustedProxies]);
  app.use(securityHeaders(), permissionsPolicy);
  app.use(hostCheck(deps.hostNames));
  app.get('/healthz', async (_request, response) => {
    await sql`select 1`.execute(deps.store.db);
    response.json({ status: 'ok' });
  });
  app.use(API_BASE, api(deps));
  app.use(consoleFiles(deps.consoleDir));
  app.use(notFound);
  app.use(problemHandler(deps.log));
  return app;
}

function api(deps: AppDeps): Router {
  const operations = deps.routers.flatMap((router) => router.operations);
  const document = openApiDocument(operations, deps.packageVersion);
  const router = express.Router({ caseSensitive: true });
  router.use((_request, response, next) => {
    response.setHeader('Cache-Control', 'no-store');
    next();
  });
  router.get('/openapi.json', (_request, response) => void response.json(document));
  router.use(addressBudget(deps.budgets), authenticate(deps), callerBudgets(deps.budgets));
  for (const part of deps.routers) router.use(part);
  refuseOtherMethods(router, operations);
  router.use(notFound);
  return router;
}

/** Nothing from another host, no inline script. HSTS is for whoever puts TLS in front. */
function securityHeaders() {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'"],
        connectSrc: ["'self'"],
        manifestSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    crossOriginEmbedderPolicy: { policy: 'require-corp' },
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
  });
}

/** The console uses none of what a browser asks people for. */
const permissionsPolicy: RequestHandler = (_request, response, next) => {
  response.setHeader('Permissions-Policy', PERMISSIONS_POLICY);
  next();
};
