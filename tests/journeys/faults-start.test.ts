// Started before its stores: it waits, says what is missing, and is ready by itself when they are there.
import { spawn } from 'node:child_process';
import { afterAll, expect, test } from '@jest/globals';
import { DESK_PROGRAM, type OwnRedis, openRedisServer } from '../support/processes.ts';
import { emptyFolder, freePort } from '../support/started.ts';
import { until } from '../support/talk.ts';

let redis: OwnRedis | undefined;
const stops: (() => void)[] = [];
afterAll(async () => {
  for (const stop of stops) stop();
  await redis?.close();
});

test('Redis comes up after the API: changes are accepted without it, and it is ready when it is there', async () => {
  redis = await openRedisServer();
  await redis.kill();
  const port = await freePort();
  const child = spawn(process.execPath, [DESK_PROGRAM], {
    env: {
      PATH: process.env.PATH,
      SWITCHBOARD_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: String(port),
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      DATA_DIR: emptyFolder(),
      MONGODB_URI: process.env.TEST_MONGODB_URI ?? '',
      REDIS_URL: redis.url,
      SECRET_KEY: 'a secret of the tests that is long enough',
      ADMIN_EMAIL: 'admin@company.com',
      ADMIN_PASSWORD: 'correct horse battery',
      DATABASE: `test_start_${port}_${process.pid}`,
      ROLES: 'api,worker',
      LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr?.on('data', (part) => {
    said += part;
  });
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  stops.push(() => child.kill('SIGKILL'));
  const api = async (method: string, at: string, body?: object, as?: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${at}`, {
      method,
      headers: {
        connection: 'close',
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(as ? { authorization: `Bearer ${as}` } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    }).catch(() => null);
    // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an answer
    return answer && { status: answer.status, body: (await answer.json()) as any };
  };
  const signedIn = await until(async () => {
    if (ended) throw new Error(`it gave up: ${said}`);
    const answer = await api('POST', '/api/v1/auth/login', {
      email: 'admin@company.com',
      password: 'correct horse battery',
    });
    return answer?.status === 200 ? answer : null;
  }, 60_000);
  const made = await api('POST', '/api/v1/tickets', { title: 'Early' }, signedIn.body.access_token);
  expect(made?.status).toBe(201);
  const ready = await api('GET', '/ready');
  expect(ready?.status).toBe(503);
  expect(ready?.body.detail).toContain('redis');
  await redis.start();
  await until(async () => (await api('GET', '/ready'))?.status === 200, 30_000);
  expect(ended).toBe(false);
}, 120_000);
