// What the desk's benches stand on: our own stores with durable writes, desks as processes, the floor as another, and
// rounds in which product and floor take turns. Generator and servers share the machine's cores.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import autocannon from 'autocannon';
import type { openStores as OpenStores } from '../../src/embedded/stores.ts';

const root = path.resolve(import.meta.dirname, '../..');
const PASSWORD = 'bench password';
export const TICKET = {
  title: 'The export does not load',
  description: 'It shows an error since this morning, and it blocks our month end.',
  priority: 'high',
  tags: ['export'],
};
const body = JSON.stringify(TICKET);

/** A token holds for fifteen minutes. */
const RENEWED_MS = 600_000;

export interface Desk {
  url: string;
  /** Renewed while a bench takes long: to be read when it is sent. */
  token: string;
  pid: number;
  database: string;
}
export interface Floor {
  bare: string;
  echo: string;
  pid: number;
}
export interface Stand {
  mongodb: string;
  redis: string;
  desk(database: string, env?: NodeJS.ProcessEnv): Promise<Desk>;
  /** The bare work on a desk's database. */
  floor(of: Desk, hashed?: string): Promise<Floor>;
  close(): Promise<void>;
}

/** The same server, another database. */
export const named = (uri: string, database: string): string =>
  uri.replace(/^(mongodb:\/\/[^/]+)\/?[^?]*/, `$1/${database}`);

function firstLine(child: ChildProcess, wanted: (line: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)));
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const found = text.split('\n').find(wanted);
      if (found) resolve(found);
    });
  });
}

/** In a folder that is kept, or in one of its own that goes with it. */
export async function openStand(kept?: string): Promise<Stand> {
  const folder = kept ?? mkdtempSync(path.join(os.tmpdir(), 'switchboard-bench-'));
  // The engine is a program of its own, which can only be started from the build.
  const { openStores } = (await import(
    new URL('../../dist/src/embedded/stores.js', import.meta.url).href
  )) as { openStores: typeof OpenStores };
  const stores = await openStores({
    dataDir: path.join(folder, 'data'),
    leastFreeMb: 10,
    mongodbUri: process.env.MONGODB_URI,
    redisUrl: process.env.REDIS_URL,
    say: () => {},
  });
  const children: ChildProcess[] = [];
  const start = async (args: string[], env: NodeJS.ProcessEnv, wanted: string) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], env });
    children.push(child);
    const line = await firstLine(child, (one) => one.includes(wanted));
    return { pid: child.pid ?? 0, said: JSON.parse(line) };
  };
  return {
    mongodb: stores.mongodbUri,
    redis: stores.redisUrl,
    async desk(database, more = {}) {
      const env = {
        ...process.env,
        MONGODB_URI: named(stores.mongodbUri, database),
        REDIS_URL: stores.redisUrl,
        REDIS_PREFIX: database,
        PORT: '0',
        DATA_DIR: path.join(folder, database),
        ADMIN_PASSWORD: PASSWORD,
        SWITCHBOARD_ENV: 'test',
        LOG_LEVEL: 'info',
        ...more,
      };
      const { pid, said } = await start(['dist/src/main.js'], env, '"url"');
      const signIn = async (): Promise<string> => {
        const answer = await fetch(`${said.url}/api/v1/auth/login`, login);
        return ((await answer.json()) as { access_token: string }).access_token;
      };
      const opened = { url: said.url, token: await signIn(), pid, database };
      const renew = async () => Object.assign(opened, { token: await signIn() });
      setInterval(() => void renew().catch(() => undefined), RENEWED_MS).unref();
      return opened;
    },
    async floor(of, hashed = '') {
      const program = path.join(import.meta.dirname, 'floor.ts');
      const uri = named(stores.mongodbUri, of.database);
      const { pid, said } = await start(['--import', 'tsx', program, uri, hashed], process.env, '"bare"');
      return { pid, bare: `http://127.0.0.1:${said.bare}`, echo: `http://127.0.0.1:${said.echo}` };
    },
    async close() {
      for (const child of children) child.kill('SIGTERM');
      await stores.stop();
      if (!kept) rmSync(folder, { recursive: true, force: true });
    },
  };
}

const account = { email: 'admin@company.com', password: PASSWORD };
export const login = {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(account),
} as const;

export interface Shot {
  url: string;
  method?: 'GET' | 'POST';
  token?: string;
  connections?: number;
  seconds: number;
  /** Requests a second, however long the answers take; absent: as many as there are. */
  rate?: number;
  body?: string;
}
export interface Shots {
  rate: number;
  p50: number;
  p99: number;
  refused: number;
}

export async function fire(shot: Shot): Promise<Shots> {
  const { url, method = 'POST', token, connections = 32, seconds, rate, body: given = body } = shot;
  const result = await autocannon({
    url,
    method,
    connections,
    duration: seconds,
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    ...(method === 'POST' ? { body: given } : {}),
    ...(rate ? { overallRate: rate } : {}),
  });
  const { latency, requests, duration, non2xx: refused, errors } = result;
  if (errors) throw new Error(`${url}: ${errors} errors`);
  return { rate: (requests.total - refused) / duration, p50: latency.p50, p99: latency.p99, refused };
}

export interface Heard {
  taken: number;
  a_second: number;
  away: number;
  p99: number;
  p99_after_2_s: number;
}

/** As `fire`, but from a process of its own (callers.ts), whose other work is not in the times. */
export async function callFrom(shot: Shot): Promise<Heard> {
  const { url, method = 'POST', token = '', connections = 32, seconds, rate = 0, body: given = body } = shot;
  const program = path.join(import.meta.dirname, 'callers.ts');
  const words = [url, token, connections, rate, seconds, method === 'POST' ? given : ''];
  const args = ['--import', 'tsx', program, ...words.map(String)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1e8 });
  return JSON.parse(stdout) as Heard;
}

export const median = (list: readonly number[]): number =>
  [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;

export interface Turns {
  name: string;
  bar: string;
  rounds: number;
  /** One figure each; the ratio is taken inside each round of floor, product, product, floor. */
  product: () => Promise<number>;
  ground: () => Promise<number>;
}

/** One round warms up. Answers the median of the ratios. */
export async function inTurns({ name, bar, rounds, product, ground }: Turns): Promise<number> {
  const ratios: number[] = [];
  const raw: string[] = [];
  for (let round = -1; round < rounds; round++) {
    const [a, b, c, d] = [await ground(), await product(), await product(), await ground()];
    if (round < 0) continue;
    ratios.push((b + c) / (a + d));
    raw.push(`${shown((b + c) / 2)}/${shown((a + d) / 2)}`);
  }
  say(
    `${name}: ${shown(median(ratios))} (bar ${bar}); rounds ${ratios.map(shown).join(' ')}; product/floor ${raw.join(' ')}`,
  );
  return median(ratios);
}

export const shown = (number: number): string => number.toFixed(Math.abs(number) < 100 ? 2 : 0);
export const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Processor time that a process has used, in ms. */
export function cpuMs(pid: number): number {
  const [, , , , , , , , , , , user = 0, system = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
    .map(Number);
  return (user + system) * 10;
}

/** The engine's process, which is ours. */
export function enginePid(): number | undefined {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ');
  return children
    .map(Number)
    .find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('embedded/process.js'));
}

/** Megabytes that a process holds. */
export const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;

export const circumstances = (): string =>
  `node ${process.version}, ${os.cpus().length} cores, load ${os
    .loadavg()
    .map((one) => one.toFixed(1))
    .join(' ')}, embedded engine, fsync on, all roles in one process`;
