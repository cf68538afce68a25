// The REST API: its server, from listening to draining.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RequestHandler } from 'express';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import type { Config } from '../../src/config.ts';
import { Refusal } from '../../src/errors.ts';
import type { Logger } from '../../src/log.ts';
import { buildApp } from './app.ts';
import { identifier } from './auth.ts';
import { docPages } from './docs.ts';
import { allRoutes } from './routes.ts';

export interface HttpOptions {
  config: Config;
  log: Logger;
  /** What must answer before this process is ready, by name. */
  checks: Record<string, () => Promise<void>>;
  doors?: { path: string; handler: RequestHandler }[];
  now?: () => Date;
}

export interface HttpServer {
  url: string;
  stop: (graceMs?: number) => Promise<void>;
}

export async function startHttp({
  config,
  log,
  checks,
  doors = [],
  now = () => new Date(),
}: HttpOptions): Promise<HttpServer> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const latency = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Requests by route',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  });
  let draining = false;
  const app = buildApp({
    edge: { log, now, identify: identifier({ log, now }) },
    routes: allRoutes({ config, checks, registry, isDraining: () => draining }),
    doors: [...doors, { path: '/docs', handler: docPages() }],
    bodyLimit: config.BODY_LIMIT,
    corsOrigins:
      config.CORS_ORIGINS?.split(',')
        .map((one) => one.trim())
        .filter(Boolean) ?? [],
    trustProxy: config.TRUST_PROXY,
    log,
    isDraining: () => draining,
    observe: (method, route, status, seconds) =>
      latency.observe({ method, route, status: String(status) }, seconds),
  });
  const server = createServer(
    {
      maxHeaderSize: 16_384,
      headersTimeout: 15_000,
      requestTimeout: 300_000,
      keepAliveTimeout: 10_000,
      connectionsCheckingInterval: 5_000,
    },
    app,
  );
  server.maxHeadersCount = 200;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Refusal(
              'away',
              'server.port_busy',
              `PORT: ${config.PORT} on ${config.HOST} is in use. Stop what listens there, or set PORT to another number.`,
            )
          : new Refusal(
              'away',
              'server.listen',
              `HOST/PORT: cannot listen on ${config.HOST}:${config.PORT} (${error.code}).`,
            ),
      ),
    );
    server.listen(config.PORT, config.HOST, resolve);
  });
  const { port, address, family } = server.address() as AddressInfo;
  const host =
    address === '0.0.0.0' || address === '::' ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address;
  return {
    url: `http://${host}:${port}`,
    stop: async (graceMs = 8_000) => {
      draining = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}
