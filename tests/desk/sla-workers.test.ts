// Several workers share the deadlines, one of them is killed in the middle of it, and Redis is emptied: each deadline
// fires, none of them twice, and what is due first comes first.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import mongoose from 'mongoose';
import { storeTime } from '../../src/clock.ts';
import { systemCtx } from '../../src/context.ts';
import type { Entry } from '../../src/history/entry.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { create, createInput } from '../../src/tickets/tickets.ts';
import { check } from '../support/checker.ts';
import { type Child, childOf } from '../support/child.ts';
import { openWorld, type World } from '../support/world.ts';

const MINUTE = 60_000;
const OVERDUE = 120;
const SOON = 40;
const folder = mkdtempSync(path.join(os.tmpdir(), 'switchboard-sla-'));
let world: World;
let workers: Child[];

beforeAll(async () => {
  world = await openWorld({ roles: 'api' });
  const { MONGODB_URI, REDIS_URL, REDIS_PREFIX, SECRET_KEY, ADMIN_PASSWORD } = world.config;
  const uri = new URL(MONGODB_URI);
  uri.pathname = `/${world.database}`;
  const env = { REDIS_URL, REDIS_PREFIX, SECRET_KEY, ADMIN_PASSWORD, MONGODB_URI: String(uri) };
  const more = { SWITCHBOARD_ENV: 'test', DATA_DIR: folder, ROLES: 'api,worker', LOG_LEVEL: 'warn' };
  workers = await Promise.all([1, 2].map(() => childOf({ ...env, ...more })));
}, 60_000);
afterAll(async () => {
  for (const worker of workers ?? []) await worker.kill();
  await world?.close();
  rmSync(folder, { recursive: true, force: true });
});

const history = () => mongoose.connection.collection<Entry & { _id: never }>('history');
const breaches = (): Promise<Entry[]> => history().find({ action: 'sla_breach' }).sort({ at: 1 }).toArray();

test('two workers, one killed again and again, and an emptied Redis: every breach is recorded once', async () => {
  const now = (await storeTime()).getTime();
  const input = createInput.parse({ title: 'It smokes', priority: 'critical' });
  const filed = (at: number) =>
    create(systemCtx({ log: openLog('silent'), now: () => new Date(at) }, FIRST_COMPANY), input);
  for (let index = 0; index < OVERDUE; index++) await filed(now - 90 * MINUTE - index * 1_000);
  await Promise.all(workers.map((worker) => worker.start()));
  const start = (await storeTime()).getTime();
  await Promise.all(
    Array.from({ length: SOON }, (_, index) => filed(start - 60 * MINUTE + 1_000 + index * 50)),
  );

  const [first] = workers;
  const redis = new Redis(world.config.REDIS_URL);
  for (let kill = 0; kill < 2; kill++) {
    await first?.kill();
    for await (const keys of redis.scanStream({ match: `*${world.config.REDIS_PREFIX}*`, count: 1_000 }))
      if (keys.length) await redis.unlink(keys);
    await first?.start();
  }
  await redis.quit();
  for (const until = Date.now() + 40_000; Date.now() < until; await pause(50))
    if ((await breaches()).length >= OVERDUE + SOON) break;

  const all = await breaches();
  expect(new Set(all.map((entry) => entry.ticket)).size).toBe(OVERDUE + SOON);
  expect(all).toHaveLength(OVERDUE + SOON);
  for (const { at, facts } of all) expect(at.getTime()).toBeGreaterThanOrEqual(Number(facts?.due_at));
  for (const worker of workers) expect(await worker.stop()).toBe(0);
  const { problems } = await check(world.config.MONGODB_URI, world.database, { settled: false });
  expect(problems).toEqual([]);
}, 120_000);
