// Told to go in the middle of its work, a process answers whoever it has heard, leaves the rest to others, and is gone
// within its time, whatever became of its stores.
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { type Child, childOf } from '../support/child.ts';
import { type OwnEngine, openEngineServer, openRedisServer } from '../support/processes.ts';
import { emptyFolder } from '../support/started.ts';
import { until } from '../support/talk.ts';

const begun: Child[] = [];
let engine: OwnEngine;
let redis: Awaited<ReturnType<typeof openRedisServer>>;
beforeAll(async () => {
  [engine, redis] = await Promise.all([openEngineServer(), openRedisServer()]);
}, 60_000);
afterAll(async () => {
  for (const one of begun) await one.kill();
  await engine?.close();
  await redis?.close();
}, 60_000);

const password = 'correct horse battery';
const database = `stop_${randomBytes(4).toString('hex')}`;
const folder = emptyFolder();
const started = async () => {
  const desk = await childOf({
    ...{ SWITCHBOARD_ENV: 'test', DATA_DIR: folder, REDIS_PREFIX: database, LOG_LEVEL: 'error' },
    ...{ MONGODB_URI: engine.uri.replace('/?', `/${database}?`), REDIS_URL: redis.url },
    ...{ ADMIN_EMAIL: 'admin@company.com', ADMIN_PASSWORD: password, ROLES: 'api,worker' },
  });
  begun.push(desk);
  await desk.start();
  const post = (at: string, body: object, more: { agent?: Agent; token?: string } = {}) =>
    ask(`${desk.url}/api/v1/${at}`, body, more);
  const token = await until(async () => {
    const { status, body } = await post('auth/login', { email: 'admin@company.com', password });
    return status === 200 && body.access_token;
  }, 30_000);
  return { ...desk, post, token };
};

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an answer
  body: any;
}
function ask(
  url: string,
  said: object,
  { agent, token }: { agent?: Agent; token?: string },
): Promise<Answer> {
  const text = JSON.stringify(said);
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  return new Promise((resolve, reject) => {
    const asking = request(url, { method: 'POST', headers, ...(agent ? { agent } : {}) }, (answer) => {
      let body = '';
      answer.on('data', (part) => {
        body += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(body) }));
      answer.on('error', reject);
    });
    asking.on('error', reject);
    asking.end(text);
  });
}

test('under load it is gone within ten seconds; no request fails that found it, and all that was taken is there', async () => {
  const desk = await started();
  const taken: string[] = [];
  const problems: unknown[] = [];
  const clients = Array.from({ length: 12 }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (;;) {
      try {
        const { status, body } = await desk.post(
          'tickets',
          { title: 'In time' },
          { agent, token: desk.token },
        );
        if (status === 201) taken.push(body.id);
        else problems.push(status);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'ECONNREFUSED') problems.push(code);
        return agent.destroy();
      }
    }
  });
  await until(() => taken.length > 60, 30_000);
  const asked = Date.now();
  expect(await desk.stop()).toBe(0);
  expect(Date.now() - asked).toBeLessThan(10_000);
  await Promise.all(clients);
  expect(problems).toEqual([]);
  const client = await mongoose.mongo.MongoClient.connect(engine.uri);
  const there = await client.db(database).collection('tickets').distinct('_id');
  await client.close();
  expect(taken.filter((id) => !there.includes(id as never))).toEqual([]);
}, 90_000);

test('though its stores vanish at the same moment, it is gone within twenty seconds', async () => {
  const desk = await started();
  const asking = Array.from({ length: 8 }, () =>
    desk.post('tickets', { title: 'Hardly' }, { token: desk.token }).catch(() => null),
  );
  await asking[0];
  await Promise.all([engine.kill(), redis.kill()]);
  const asked = Date.now();
  await desk.stop();
  expect(Date.now() - asked).toBeLessThan(20_500);
  await Promise.all(asking);
}, 90_000);
