// The Express application: what every request passes before and after its route.
import { randomUUID } from 'node:crypto';
import cors from 'cors';
import express, { type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import { Refusal } from '../../src/errors.ts';
import type { Logger } from '../../src/log.ts';
import { traced } from '../../src/tracing.ts';
import { jsonBody } from './bodies.ts';
import type { Gate } from './crowd.ts';
import { isForm } from './forms.ts';
import { type Patience, steadily } from './patience.ts';
import { problems, sendProblem } from './problem.ts';
import { type Edge, expressPath, type Route, serve } from './route.ts';

export interface AppOptions {
  edge: Edge;
  routes: Route[];
  /** Other doors into the same server (Slack's), mounted before any body is parsed. */
  doors: { path: string; handler: RequestHandler }[];
  bodyLimit: number;
  corsOrigins: string[];
  trustProxy: number;
  gate: Gate;
  patience: Patience;
  log: Logger;
  isDraining: () => boolean;
  /** Stores, indexes and the first administrator are still being seen to: nothing is read or written yet. */
  isStarting: () => boolean;
  observe: (method: string, route: string, status: number, seconds: number) => void;
}

export function buildApp(options: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.set('trust proxy', options.trustProxy);
  app.use(begin(options));
  // All that our pages load is our own; told to load it by TLS, they would be empty where there is none.
  app.use(helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } }));
  if (options.corsOrigins.length)
    app.use(
      cors({
        origin: options.corsOrigins,
        exposedHeaders: ['ETag', 'X-Request-Id', 'Idempotency-Replayed', 'Retry-After'],
        maxAge: 600,
      }),
    );
  for (const { path, handler } of options.doors) app.use(path, handler);
  mount(app, options, jsonBody(options.bodyLimit));
  app.use((req, _res, next) =>
    next(
      new Refusal(
        'unknown',
        'route.not_found',
        `There is nothing at ${req.method} ${req.path.slice(0, 200)}.`,
      ),
    ),
  );
  app.use(problems);
  return app;
}

const MOST_HEADERS = 100;
/** What answers while it starts. */
const ALWAYS: ReadonlySet<string> = new Set(['/', '/health', '/ready', '/metrics', '/openapi.json']);

const begin =
  (options: AppOptions): RequestHandler =>
  (req, res, next) => {
    const given = req.get('x-request-id');
    const requestId = given !== undefined && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID();
    const started = performance.now();
    res.locals.requestId = requestId;
    res.locals.log = options.log.child({ request: requestId });
    res.setHeader('X-Request-Id', requestId);
    res.on('finish', () => {
      const seconds = (performance.now() - started) / 1_000;
      const route = String(res.locals.route ?? 'none');
      options.observe(req.method, route, res.statusCode, seconds);
      if (options.log.isLevelEnabled('debug') || res.statusCode >= 500)
        res.locals.log.info(
          { method: req.method, route, status: res.statusCode, ms: Math.round(seconds * 1e5) / 100 },
          'request',
        );
    });
    if (req.rawHeaders.length > 2 * MOST_HEADERS) {
      res.set('Connection', 'close');
      sendProblem(res, new Refusal('large', 'request.headers', 'The request has too many headers.'), 431);
      return;
    }
    // Nobody new gets in any more; who has a connection is answered once more, and asks elsewhere then.
    if (options.isDraining()) res.set('Connection', 'close');
    if (options.isStarting() && !ALWAYS.has(req.path)) {
      const words = 'This server is still starting: ask again in a moment.';
      sendProblem(res, new Refusal('away', 'server.starting', words, { retryAfter: 2 }));
      return;
    }
    next();
  };

const formOrJson = (json: RequestHandler[]): RequestHandler[] =>
  json.map((step) => (req, res, next) => (isForm(req) ? next() : step(req, res, next)));

/** Grouped by path, so that a wrong method is told apart from a wrong path, and by room, so that few patterns are tried. */
function mount(app: Express, options: AppOptions, json: RequestHandler[]): void {
  const { routes, edge, gate, patience } = options;
  const rooms = new Map<string, Map<string, Route[]>>();
  for (const one of routes) {
    const room = /^\/api\/v1\/[^/]+/.exec(one.path)?.[0] ?? '/';
    const paths = rooms.get(room) ?? new Map<string, Route[]>();
    rooms.set(room, paths);
    paths.set(one.path, [...(paths.get(one.path) ?? []), one]);
  }
  for (const [room, paths] of rooms) {
    const router = express.Router({ caseSensitive: true });
    const literalFirst = [...paths].sort(([a], [b]) => Number(a.includes('{')) - Number(b.includes('{')));
    for (const [path, ones] of literalFirst) {
      const inner = expressPath(room === '/' ? path : path.slice(room.length) || '/');
      const spot = router.route(inner);
      for (const one of ones)
        spot[one.method](
          named(one),
          ...(one.consumes || one.form ? [steadily(patience.steadyMs)] : []),
          ...(one.consumes ? [] : one.form ? formOrJson(json) : json),
          gated(one, gate, spanned(one, serve(one, edge))),
        );
      spot.all((req, res) => {
        const methods = ones.map((one) => one.method.toUpperCase());
        if (methods.includes('GET')) methods.push('HEAD');
        res.set('Allow', [...methods, 'OPTIONS'].join(', '));
        if (req.method === 'OPTIONS') return void res.status(204).end();
        sendProblem(res, new Refusal('invalid', 'route.method', `${req.method} is not possible here.`), 405);
      });
    }
    app.use(room, router);
  }
}

/** What takes its time by its nature (streams, files) and what has its own limits (signing in) is not counted. */
const gated = (one: Route, gate: Gate, handler: RequestHandler): RequestHandler =>
  one.deed === 'anyone' || one.consumes || one.produces
    ? handler
    : (req, res, next) =>
        isForm(req) ? handler(req, res, next) : gate.through(async () => handler(req, res, next));

const spanned =
  (one: Route, handler: RequestHandler): RequestHandler =>
  (req, res, next) =>
    traced(
      `${one.method.toUpperCase()} ${one.path}`,
      { request: String(res.locals.requestId) },
      async () => handler(req, res, next),
      req.get('traceparent'),
    );

const named =
  (one: Route): RequestHandler =>
  (_req, res, next) => {
    res.locals.route = one.path;
    next();
  };
