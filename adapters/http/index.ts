// The REST API: its server, from listening to draining.
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, Server } from 'node:net';
import { type Request, type RequestHandler, Router } from 'express';
import { collectDefaultMetrics, Histogram } from 'prom-client';
import type { Config } from '../../src/config.ts';
import { Refusal } from '../../src/errors.ts';
import type { Logger } from '../../src/log.ts';
import { metrics } from '../../src/metrics.ts';
import { type AppOptions, buildApp } from './app.ts';
import { identifier } from './auth.ts';
import { awayWith } from './away.ts';
import { openCallers } from './callers.ts';
import { type Crowding, openGate } from './crowd.ts';
import { docPages } from './docs.ts';
import { operationRoutes } from './operations.ts';
import { beInTime, PATIENCE, type Patience } from './patience.ts';
import { BOARD, type BoardQueue, queueBoard } from './queues.ts';
import { allRoutes } from './routes.ts';
import { openStreams } from './stream.ts';

export type Doors = readonly { path: string; handler: RequestHandler }[];

export interface HttpOptions {
  config: Config;
  log: Logger;
  /** What must answer before this process is ready, by name. */
  checks: Record<string, () => Promise<void>>;
  doors?: Doors;
  /** For the queue board. */
  queues?: () => readonly BoardQueue[];
  /** A process without an API: nothing but what monitoring asks, at this port. */
  metricsPort?: number;
  /** Until it says no, only questions about the process itself are answered. */
  isStarting?: () => boolean;
  patience?: Patience;
  crowding?: Crowding;
  now?: () => Date;
}

/** Who has a connection may ask once more when we stop. */
const LINGER_MS = 500;

export interface HttpServer {
  url: string;
  /** Doors that are ready only later than the server. */
  mount: (doors: Doors) => void;
  stop: (graceMs?: number) => Promise<void>;
}

const LATENCY = 'http_request_duration_seconds';
/** Made once for the process, however many servers it runs. */
function requestSeconds(): Histogram<'method' | 'route' | 'status'> {
  const known = metrics.getSingleMetric(LATENCY);
  if (known) return known as Histogram<'method' | 'route' | 'status'>;
  collectDefaultMetrics({ register: metrics });
  return new Histogram({
    name: LATENCY,
    help: 'Requests by route',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [metrics],
  });
}

/** Finding a row of the histogram by its labels each time would cost more than counting in it. */
function timed(latency: Histogram<'method' | 'route' | 'status'>): AppOptions['observe'] {
  const rows = new Map<string, { observe: (seconds: number) => void }>();
  return (method, route, status, seconds) => {
    const key = `${method} ${status} ${route}`;
    let row = rows.get(key);
    if (!row) {
      row = latency.labels(method, route, String(status));
      rows.set(key, row);
    }
    row.observe(seconds);
  };
}

export async function startHttp({
  config,
  log,
  checks,
  doors = [],
  queues,
  metricsPort,
  isStarting = () => false,
  patience = PATIENCE,
  crowding = {},
  now = () => new Date(),
}: HttpOptions): Promise<HttpServer> {
  const callers = openCallers();
  const recognised = identifier({ log, now });
  const identify = async (req: Request) => {
    const actor = await recognised(req);
    callers.met(req, actor);
    return actor;
  };
  const streams = openStreams(log, identify);
  let draining = false;
  const sendAway = awayWith(patience.wholeMs);
  const late = Router();
  const gate = openGate({
    ...crowding,
    tell: (facts) => log.warn(facts, 'more was asked at once than can be done: some were told to come later'),
  });
  const unanswered = new Set<ServerResponse>();
  const operations = { config, checks, registry: metrics, isDraining: () => draining };
  const [variable, port] = metricsPort === undefined ? ['PORT', config.PORT] : ['METRICS_PORT', metricsPort];
  const { Asked, Answer, handle, errandOf } = buildApp({
    edge: { log, now, identify },
    routes: metricsPort === undefined ? allRoutes(operations, [streams.route]) : operationRoutes(operations),
    doors:
      metricsPort === undefined
        ? [
            ...doors,
            { path: '/', handler: late },
            { path: '/docs', handler: docPages() },
            ...(queues ? [{ path: BOARD, handler: queueBoard(queues, identify) }] : []),
          ]
        : [],
    bodyLimit: config.BODY_LIMIT,
    corsOrigins:
      config.CORS_ORIGINS?.split(',')
        .map((one) => one.trim())
        .filter(Boolean) ?? [],
    trustProxy: config.TRUST_PROXY,
    gate,
    callers,
    patience,
    log,
    isDraining: () => draining,
    isStarting,
    observe: timed(requestSeconds()),
  });
  const server = createServer(
    {
      IncomingMessage: Asked,
      ServerResponse: Answer,
      maxHeaderSize: 16_384,
      headersTimeout: patience.headersMs,
      requestTimeout: patience.longestMs,
      keepAliveTimeout: 10_000,
      connectionsCheckingInterval: patience.checkEveryMs,
    },
    (req, res) => {
      if (gate.isFlooded() && !draining) {
        const errand = errandOf(req);
        if (errand && !gate.hasRoom(errand, callers.nameOf(req))) return sendAway(req, res);
      }
      unanswered.add(res);
      res.once('close', () => unanswered.delete(res));
      beInTime(req, res, patience.wholeMs);
      handle(req, res);
    },
  );
  // All of them, or app.ts could not refuse too many: a request without its last headers is another request.
  server.maxHeadersCount = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Refusal(
              'away',
              'server.port_busy',
              `${variable}: ${port} on ${config.HOST} is in use. Stop what listens there, or set ${variable} to another number.`,
            )
          : new Refusal(
              'away',
              'server.listen',
              `HOST/${variable}: cannot listen on ${config.HOST}:${port} (${error.code}).`,
            ),
      ),
    );
    server.listen(port, config.HOST, resolve);
  });
  const { port: taken, address, family } = server.address() as AddressInfo;
  const host =
    address === '0.0.0.0' || address === '::' ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address;
  return {
    url: `http://${host}:${taken}`,
    mount: (given) => {
      for (const { path, handler } of given) late.use(path, handler);
    },
    stop: async (graceMs = 5_000) => {
      draining = true;
      streams.close();
      for (const res of unanswered) if (!res.headersSent) res.setHeader('Connection', 'close');
      // HTTP's own close cuts idle connections at once, though the next request of one may be on its way.
      const closed = new Promise<void>((resolve) => Server.prototype.close.call(server, () => resolve()));
      // What lies in the line unread is read first: a timer comes before that, an immediate after it.
      const sweep = setInterval(() => setImmediate(() => server.closeIdleConnections()), LINGER_MS);
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearInterval(sweep);
      clearTimeout(timer);
      server.close();
    },
  };
}
