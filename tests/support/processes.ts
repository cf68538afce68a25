// Processes that tests start, stop and kill: workers of a world, and a Redis of their own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './started.ts';
import type { World } from './world.ts';

export interface Desk {
  child: ChildProcess;
  pid: number;
  said: () => string;
  ended: Promise<number | string>;
}

/** Built with everything else: a program that is started so often must not be compiled each time. */
export const DESK_PROGRAM = path.resolve(
  import.meta.dirname,
  '..',
  '..',
  'dist',
  'tests',
  'support',
  'desk-process.js',
);

/** A further process of the world. Resolves when it works. */
export async function startDesk(world: World, env: Record<string, string>): Promise<Desk> {
  const { config } = world;
  const child = spawn(process.execPath, [DESK_PROGRAM], {
    env: {
      PATH: process.env.PATH,
      SWITCHBOARD_ENV: 'test',
      PORT: '0',
      DATA_DIR: config.DATA_DIR,
      MONGODB_URI: config.MONGODB_URI,
      REDIS_URL: config.REDIS_URL,
      REDIS_PREFIX: config.REDIS_PREFIX,
      SECRET_KEY: config.SECRET_KEY,
      ADMIN_PASSWORD: config.ADMIN_PASSWORD,
      NOTIFICATIONS_ENABLED: 'false',
      DATABASE: world.database,
      ROLES: 'worker',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const ready = new Promise<void>((resolve) => {
    child.stdout?.on('data', (chunk) => {
      said += chunk;
      if (/^ready /m.test(said)) resolve();
    });
  });
  child.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  const ended = once(child, 'exit').then(([code, signal]) => code ?? signal);
  const failed = ended.then((code) => {
    throw new Error(`the desk ended (${code}) before it was ready: ${said.slice(-2_000)}`);
  });
  failed.catch(() => undefined);
  await Promise.race([ready, failed]);
  return { child, pid: child.pid ?? 0, said: () => said, ended };
}

export interface OwnRedis {
  url: string;
  kill: () => Promise<void>;
  start: () => Promise<void>;
  flush: () => Promise<void>;
  /** Nothing can be written to its disk any more: it refuses to be changed. */
  fill: () => Promise<void>;
  clear: () => Promise<void>;
  close: () => Promise<void>;
}

export async function openRedisServer(): Promise<OwnRedis> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'switchboard-redis-'));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let child: ChildProcess | null = null;
  const start = async () => {
    if (child) return;
    const args = [
      '--port',
      String(port),
      '--dir',
      dir,
      '--appendonly',
      'yes',
      '--maxmemory-policy',
      'noeviction',
    ];
    child = spawn('redis-server', args, { stdio: 'ignore' });
    const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    client.on('error', () => undefined);
    await client.ping();
    client.disconnect();
  };
  const kill = async () => {
    if (!child) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    child = null;
  };
  const say = async (...commands: [string, ...string[]][]) => {
    const client = new Redis(url);
    for (const [name, ...rest] of commands) await client.call(name, ...rest);
    client.disconnect();
  };
  await start();
  return {
    url,
    start,
    kill,
    flush: () => say(['FLUSHALL']),
    fill: async () => {
      rmSync(path.join(dir, 'dump.rdb'), { force: true });
      mkdirSync(path.join(dir, 'dump.rdb'));
      await say(['CONFIG', 'SET', 'save', '1 1'], ['SET', 'last', 'words'], ['BGSAVE']);
    },
    clear: async () => {
      rmSync(path.join(dir, 'dump.rdb'), { recursive: true });
      await say(['CONFIG', 'SET', 'save', '']);
    },
    close: async () => {
      await kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export interface OwnEngine {
  uri: string;
  kill: () => Promise<void>;
  start: () => Promise<void>;
  close: () => Promise<void>;
}

/** The database as a process of its own, to be killed and started again at the same place. */
export async function openEngineServer(): Promise<OwnEngine> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'switchboard-db-'));
  const port = await freePort();
  const program = path.resolve(import.meta.dirname, '..', '..', 'dist', 'src', 'embedded', 'process.js');
  let child: ChildProcess | null = null;
  const start = async () => {
    const started = spawn(process.execPath, [program, '--data', dir, '--port', String(port)], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child = started;
    await once(started.stdout, 'data');
  };
  const kill = async () => {
    if (!child) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    child = null;
  };
  await start();
  return {
    uri: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    start,
    kill,
    close: async () => {
      await kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
