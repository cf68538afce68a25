// Several workers share the deadlines, one of them is killed in the middle of it, and Redis is emptied: each deadline
// fires, none of them twice, and what is due first comes first. The same for new rules that reach many tickets.
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
import type { StoredRules } from '../../src/sla/model.ts';
import { updatePolicy } from '../../src/sla/policies.ts';
import { patched } from '../../src/sla/policy.ts';
import { create, createInput } from '../../src/tickets/tickets.ts';
import { check } from '../support/checker.ts';
import { type Child, childOf } from '../support/child.ts';
import { openWorld, type World } from '../support/world.ts';

const MINUTE = 60_000;
const OVERDUE = 120;
const SOON = 40;
const MANY = 300;
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
const filedOf = (ticket: string): Promise<Entry[]> => history().find({ ticket }).toArray();
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

test('new rules whose worker is killed in the middle of spreading them reach every open ticket, once', async () => {
  const ctx = systemCtx({ log: openLog('silent') }, FIRST_COMPANY);
  const input = createInput.parse({ title: 'It may smoke', priority: 'low' });
  const filed = await Promise.all(Array.from({ length: MANY }, () => create(ctx, input)));
  const rules = mongoose.connection.collection<StoredRules>('sla_rules');
  const { version } = await updatePolicy(ctx, 'default', { description: 'written once' });
  const policies = (await rules.findOne({ _id: FIRST_COMPANY }))?.policies ?? [];
  const stricter = policies.map((one) => ({
    ...patched(one, { targets: { low: { resolutionMinutes: 600 } } }),
    version: version + 1,
  }));
  const spread = { at: new Date((await storeTime()).getTime() - 1_000), after: null };
  await rules.updateOne(
    { _id: FIRST_COMPANY },
    { $set: { version: version + 1, policies: stricter, spread } },
  );
  const tickets = mongoose.connection.collection('tickets');
  const reckoned = () => tickets.countDocuments({ priority: 'low', 'sla.clocks.ms': 600 * MINUTE });
  const [first, second] = workers;
  await first?.start();
  while ((await reckoned()) === 0) await pause(2);
  await first?.kill();
  await second?.start();
  while (await rules.countDocuments({ 'spread.at': { $type: 'date' } })) await pause(50);

  expect(await reckoned()).toBe(MANY);
  expect(await second?.stop()).toBe(0);
  for (const { _id } of filed) {
    const [entries, stored] = await Promise.all([filedOf(_id), tickets.findOne({ _id: _id as never })]);
    const told = [...entries, ...(stored?.pending ?? [])].filter(
      ({ facts }) => facts?.because === 'sla rules' && facts.version === version + 1,
    );
    expect(new Set(told.map((one) => one._id)).size).toBe(1);
  }
  const { problems } = await check(world.config.MONGODB_URI, world.database, { settled: false });
  expect(problems).toEqual([]);
}, 120_000);
