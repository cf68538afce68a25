// A whole Switchboard for one test file: its own database and key prefix on the servers of the run (servers.ts), its
// own data folder, a free port. `drain` waits for all that is due; `close` fails when something was left open.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import mongoose from 'mongoose';
import { type Config, loadConfig } from '../../src/config.ts';
import { openLog } from '../../src/log.ts';
import { type Running, run } from '../../src/main.ts';
import type { Channel } from '../../src/notify/channel.ts';

export interface WorldOptions {
  /** The roles of this process; `api,worker` when not said. */
  roles?: string;
  /** Further variables of the environment, by their names. */
  env?: Record<string, string>;
  /** Further surfaces to deliver to. */
  channels?: readonly Channel[];
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an answer, and that is its type
  body: any;
}

export interface World {
  config: Config;
  /** Where the API listens, without a slash at the end. */
  url: string;
  database: string;
  /** What was logged, one object a line. */
  logged: Record<string, unknown>[];
  /** Everything that is due has been done. */
  drain(): Promise<void>;
  /** A call of the API, as JSON; `as` is an access token or an API key. */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** The access token of the first administrator. */
  admin(): Promise<string>;
  close(): Promise<void>;
}

export interface CallOptions {
  as?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

export async function openWorld({
  roles = 'api,worker',
  env = {},
  channels = [],
}: WorldOptions = {}): Promise<World> {
  const before = openHandles();
  const mark = randomBytes(6).toString('hex');
  const database = `test_${mark}`;
  const dataDir = mkdtempSync(path.join(os.tmpdir(), 'switchboard-world-'));
  const config = loadConfig(
    {
      SWITCHBOARD_ENV: 'test',
      PORT: '0',
      HOST: '127.0.0.1',
      DATA_DIR: dataDir,
      MONGODB_URI: needed('TEST_MONGODB_URI'),
      REDIS_URL: needed('TEST_REDIS_URL'),
      REDIS_PREFIX: `test-${mark}`,
      ADMIN_EMAIL: 'admin@company.com',
      ADMIN_PASSWORD: 'correct horse battery',
      ROLES: roles,
      LOG_LEVEL: 'info',
      ...env,
    },
    dataDir,
  );
  const logged: World['logged'] = [];
  const log = openLog(config.LOG_LEVEL, {
    write: (line: string) => {
      logged.push(JSON.parse(line));
      if (process.env.TEST_LOG) process.stderr.write(line);
    },
  });
  const running: Running = await run(config, log, database, { channels });
  let token: Promise<string> | undefined;

  const line = new Agent({ keepAlive: true });
  const call: World['call'] = async (method, at, { as, body, headers = {} } = {}) => {
    const sent = {
      ...(as ? { authorization: `Bearer ${as}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    };
    const words = body === undefined ? undefined : JSON.stringify(body);
    const { text, ...answer } = await ask(line, method, new URL(`${running.url}${at}`), sent, words);
    const json = /application\/json|\+json/.test(answer.headers.get('content-type') ?? '');
    return { ...answer, body: json && text ? JSON.parse(text) : text };
  };

  return {
    config,
    url: running.url,
    database,
    logged,
    drain: running.drain,
    call,
    admin() {
      token ??= call('POST', '/api/v1/auth/login', {
        body: { email: config.ADMIN_EMAIL, password: config.ADMIN_PASSWORD },
      }).then((answer) => answer.body.access_token);
      return token;
    },
    async close() {
      line.destroy();
      await running.stop();
      await forget(database, config);
      rmSync(dataDir, { recursive: true, force: true });
      await nothingLeft(before);
    },
  };
}

type Told = { status: number; headers: Headers; text: string };

/** By a line that is kept open, as it is cheap; one that was hung up on just then is taken up anew. */
async function ask(
  agent: Agent,
  method: string,
  url: URL,
  headers: Record<string, string>,
  body: string | undefined,
): Promise<Told> {
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const out = request(url, { method, agent, headers: { ...length, ...headers } });
  try {
    return await new Promise<Told>((resolve, reject) => {
      out.once('error', reject);
      out.once('response', (res) => {
        const parts: Buffer[] = [];
        res.on('data', (part) => parts.push(part));
        res.once('error', reject);
        res.once('end', () =>
          resolve({
            status: res.statusCode ?? 0,
            headers: headersOf(res),
            text: Buffer.concat(parts).toString('utf8'),
          }),
        );
      });
      out.end(body);
    });
  } catch (error) {
    if (out.reusedSocket && (error as { code?: string }).code === 'ECONNRESET')
      return ask(agent, method, url, headers, body);
    throw error;
  }
}

function headersOf(res: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(res.headersDistinct))
    for (const value of values ?? []) headers.append(name, value);
  return headers;
}

function needed(name: string): string {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name} is not set: tests/support/servers.ts sets it, run the tests by npm test`);
  return value;
}

async function forget(database: string, config: Config): Promise<void> {
  const mongodb = await mongoose.mongo.MongoClient.connect(config.MONGODB_URI);
  await mongodb.db(database).dropDatabase();
  await mongodb.close();
  const redis = new Redis(config.REDIS_URL);
  for await (const keys of redis.scanStream({ match: `*${config.REDIS_PREFIX}*`, count: 1_000 }))
    if (keys.length) await redis.unlink(keys);
  await redis.quit();
}

/** One after the other, whatever becomes of the ones before: what is left running would keep the whole run from ending. */
export async function closeAll(...things: ({ close(): Promise<unknown> } | undefined)[]): Promise<void> {
  const failed: unknown[] = [];
  for (const thing of things) await thing?.close().catch((error) => failed.push(error));
  if (failed.length) throw failed[0];
}

/** What keeps this process awake, counted by kind. */
function openHandles(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo())
    if (/Socket|Server|Pipe|Timeout|Process|Worker/.test(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

async function nothingLeft(before: Map<string, number>): Promise<void> {
  let left: string[] = [];
  for (const until = Date.now() + 15_000; Date.now() < until; await pause(20)) {
    left = [...openHandles()]
      .filter(([kind, count]) => count > (before.get(kind) ?? 0))
      .map(([kind, count]) => `${kind} ${count - (before.get(kind) ?? 0)}`);
    if (!left.length) return;
  }
  throw new Error(`Something was left open when the world closed: ${left.join(', ')}`);
}
