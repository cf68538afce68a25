// What operators ask: is it up, can it work, how is it doing.
import type { Registry } from 'prom-client';
import { z } from 'zod';
import type { Config } from '../../src/config.ts';
import { Refusal } from '../../src/errors.ts';
import { type Route, route } from './route.ts';

export interface Operations {
  config: Config;
  checks: Record<string, () => Promise<void>>;
  registry: Registry;
  isDraining: () => boolean;
}

export function operationRoutes({ config, checks, registry, isDraining }: Operations): Route[] {
  return [
    route({
      method: 'get',
      path: '/health',
      tag: 'Operations',
      summary: 'The process is up',
      deed: 'anyone',
      answer: z.object({
        status: z.literal('healthy'),
        service: z.literal('switchboard'),
        version: z.string(),
        environment: z.string(),
      }),
      run: async () => ({
        status: 'healthy',
        service: 'switchboard',
        version: config.version,
        environment: config.SWITCHBOARD_ENV,
      }),
    }),
    route({
      method: 'get',
      path: '/ready',
      tag: 'Operations',
      summary: 'The stores answer',
      deed: 'anyone',
      refuses: [503],
      answer: z.object({ status: z.literal('ready'), stores: z.record(z.string(), z.string()) }),
      run: async () => {
        const failed: string[] = [];
        await Promise.all(
          Object.entries(checks).map(([name, check]) => check().catch(() => failed.push(name))),
        );
        if (failed.length || isDraining())
          throw new Refusal('away', 'store.away', `Not ready: ${failed.join(' and ') || 'stopping'}.`, {
            retryAfter: 2,
            details: failed.map((name) => ({ path: name, message: 'does not answer' })),
          });
        return {
          status: 'ready',
          stores: Object.fromEntries(Object.keys(checks).map((name) => [name, 'up'])),
        };
      },
    }),
    route({
      method: 'get',
      path: '/metrics',
      tag: 'Operations',
      summary: 'Prometheus metrics',
      deed: 'anyone',
      produces: 'text/plain',
      run: async ({ res }) => {
        res.type(registry.contentType).send(await registry.metrics());
      },
    }),
    route({
      method: 'get',
      path: '/',
      tag: 'Operations',
      summary: 'Where to look next',
      deed: 'anyone',
      answer: z.object({ service: z.string(), docs: z.string(), openapi: z.string() }),
      run: async () => ({ service: 'switchboard', docs: '/docs', openapi: '/openapi.json' }),
    }),
  ];
}
