// The Express application: what every request passes before and after its route.
import { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';
import express, { type Request, type RequestHandler, type Response } from 'express';
import helmet from 'helmet';
import { Refusal } from '../../src/errors.ts';
import type { Logger } from '../../src/log.ts';
import { traced } from '../../src/tracing.ts';
import { jsonBody } from './bodies.ts';
import type { Callers } from './callers.ts';
import type { Errand, Gate } from './crowd.ts';
import { dispatchTo } from './dispatch.ts';
import { isForm } from './forms.ts';
import { type Patience, steadily } from './patience.ts';
import { problems, requestIdOf, sendProblem } from './problem.ts';
import { type Edge, type Route, serve } from './route.ts';

export interface AppOptions {
  edge: Edge;
  routes: Route[];
  /** Other doors into the same server (Slack's), mounted before any body is parsed. */
  doors: { path: string; handler: RequestHandler }[];
  bodyLimit: number;
  corsOrigins: string[];
  trustProxy: number;
  gate: Gate;
  callers: Callers;
  patience: Patience;
  log: Logger;
  isDraining: () => boolean;
  /** Stores, indexes and the first administrator are still being seen to: nothing is read or written yet. */
  isStarting: () => boolean;
  observe: (method: string, route: string, status: number, seconds: number) => void;
}

/** Makes requests and responses that are Express's from the start: changing what they are later is dear. */
export interface App {
  Asked: typeof IncomingMessage;
  Answer: typeof ServerResponse<IncomingMessage>;
  handle: (req: IncomingMessage, res: ServerResponse) => void;
  /** What is asked for, where a crowd of such requests is sent away. */
  errandOf: (req: IncomingMessage) => Errand | undefined;
}

export function buildApp(options: AppOptions): App {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.set('trust proxy', options.trustProxy);
  // All that our pages load is our own; told to load it by TLS, they would be empty where there is none.
  const guarded = helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } });
  const opening: RequestHandler[] = [begin(options), sealed(guarded)];
  if (options.corsOrigins.length)
    opening.push(
      cors({
        origin: options.corsOrigins,
        exposedHeaders: ['ETag', 'X-Request-Id', 'Idempotency-Replayed', 'Retry-After'],
        maxAge: 600,
      }),
    );
  const { edge, patience } = options;
  const errands = new Map(options.routes.filter(isCrowd).map((one) => [one, errand(one)]));
  const json = jsonBody(options.bodyLimit);
  const dispatch = dispatchTo(options.routes, opening, (one) => [
    named(one),
    ...(one.consumes || one.form ? [steadily(patience.steadyMs)] : []),
    ...(one.consumes ? [] : one.form ? formOrJson(json) : json),
    gated(errands.get(one), options, spanned(one, serve(one, edge))),
  ]);
  app.use(...opening);
  for (const { path, handler } of options.doors) app.use(path, handler);
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

  class Asked extends IncomingMessage {}
  class Answer extends ServerResponse {}
  app.request = Object.setPrototypeOf(Asked.prototype, app.request);
  app.response = Object.setPrototypeOf(Answer.prototype, app.response);
  const handle = (asked: IncomingMessage, answer: ServerResponse) => {
    const [req, res] = [asked as Request, answer as Response];
    // What Express gives a request on its way, for those that do not take it.
    Object.assign(req, { res, originalUrl: req.url, baseUrl: '' });
    res.locals = {};
    if (!dispatch.go(req, res)) app(req, res);
  };
  const errandOf = (req: IncomingMessage) => {
    const one = dispatch.routeOf(req);
    return one && errands.get(one);
  };
  return { Asked, Answer, handle, errandOf };
}

/** What a middleware sets in the same way for everybody, found out once. */
function sealed(
  middleware: (req: IncomingMessage, res: ServerResponse, next: () => void) => void,
): RequestHandler {
  const headers: [string, string][] = [];
  const setHeader = (name: string, value: string) => headers.push([name, value]);
  const one = { setHeader, removeHeader: () => undefined } as unknown as ServerResponse;
  middleware({} as IncomingMessage, one, () => undefined);
  return (_req, res, next) => {
    for (const [name, value] of headers) res.setHeader(name, value);
    next();
  };
}

const MOST_HEADERS = 100;
/** What answers while it starts. */
const ALWAYS: ReadonlySet<string> = new Set(['/', '/health', '/ready', '/metrics', '/openapi.json']);

const begin =
  (options: AppOptions): RequestHandler =>
  (req, res, next) => {
    const requestId = requestIdOf(req);
    const started = performance.now();
    res.locals.requestId = requestId;
    let log: Logger | undefined;
    res.locals.log = (): Logger => {
      log ??= options.log.child({ request: requestId });
      return log;
    };
    res.setHeader('X-Request-Id', requestId);
    res.on('finish', () => {
      const seconds = (performance.now() - started) / 1_000;
      const route = String(res.locals.route ?? 'none');
      options.observe(req.method, route, res.statusCode, seconds);
      if (options.log.isLevelEnabled('debug') || res.statusCode >= 500)
        res.locals
          .log()
          .info(
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

/** What takes its time by its nature (streams, files) and what has its own limits (signing in) is not counted. */
const isCrowd = (one: Route): boolean => one.deed !== 'anyone' && !one.consumes && !one.produces;
const errand = ({ bulk = false }: Route): Errand => ({ bulk, usualMs: 10 });

const gated = (
  errand: Errand | undefined,
  { gate, callers }: Pick<AppOptions, 'gate' | 'callers'>,
  handler: RequestHandler,
): RequestHandler =>
  errand
    ? (req, res, next) =>
        isForm(req)
          ? handler(req, res, next)
          : gate.through(errand, callers.nameOf(req), async () => handler(req, res, next))
    : handler;

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
