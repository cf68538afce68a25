// The desk's speed as ratios (P1, P3 to P7): product and floor in turn, on the same stores with durable writes, in one
// run. `npm run bench -- [--seconds 3] [--rounds 5] [--many 100000]`. Generator and servers share the machine's cores.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import express from 'express';
import mongoose from 'mongoose';
import type { openStores as OpenStores } from '../../src/embedded/stores.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    many: { type: 'string', default: '100000' },
    floor: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const PASSWORD = 'bench password';
const TICKET = {
  title: 'The export does not load',
  description: 'It shows an error since this morning, and it blocks our month end.',
  priority: 'high',
  tags: ['export'],
};
const body = JSON.stringify(TICKET);

/** The bare work: node:http, JSON, one durable insert or one indexed find; and Express that echoes. */
async function floor(uri: string): Promise<void> {
  await mongoose.connect(uri, { writeConcern: { w: 'majority', journal: true }, retryWrites: false });
  const things = mongoose.connection.collection('floor');
  const tickets = mongoose.connection.collection('tickets');
  const bare = createServer((req, res) => {
    const send = (value: unknown) =>
      res.setHeader('content-type', 'application/json').end(JSON.stringify(value));
    if (req.method === 'GET') {
      const { searchParams } = new URL(req.url ?? '/', 'http://x');
      void tickets
        .find({ company: searchParams.get('company'), status: 'new' })
        .sort({ createdAt: -1, _id: -1 })
        .limit(50)
        .toArray()
        .then(send);
      return;
    }
    let text = '';
    req.on('data', (part) => {
      text += part;
    });
    req.on(
      'end',
      () =>
        void things
          .insertOne({ ...JSON.parse(text), at: new Date() })
          .then(({ insertedId }) => send({ id: insertedId })),
    );
  }).listen(0, '127.0.0.1');
  const app = express();
  app.use(express.json());
  app.post('/', (req, res) => void res.json(req.body));
  const echo = app.listen(0, '127.0.0.1');
  const port = (server: { address(): unknown }) => (server.address() as { port: number }).port;
  setTimeout(() => process.stdout.write(`${JSON.stringify({ bare: port(bare), echo: port(echo) })}\n`), 200);
}

/** The same server, another database. */
const named = (uri: string, database: string): string =>
  uri.replace(/^(mongodb:\/\/[^/]+)\/?[^?]*/, `$1/${database}`);

const children: ChildProcess[] = [];
const root = path.resolve(import.meta.dirname, '../..');

function firstLine(child: ChildProcess, wanted: (line: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)));
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const found = text.split('\n').find(wanted);
      if (found) resolve(found);
    });
  });
}

async function desk(
  mongodb: string,
  redis: string,
  database: string,
  dataDir: string,
): Promise<{ url: string; token: string }> {
  const child = spawn(process.execPath, ['dist/src/main.js'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      MONGODB_URI: named(mongodb, database),
      REDIS_URL: redis,
      REDIS_PREFIX: database,
      PORT: '0',
      DATA_DIR: dataDir,
      ADMIN_PASSWORD: PASSWORD,
      SWITCHBOARD_ENV: 'test',
      LOG_LEVEL: 'info',
    },
  });
  children.push(child);
  const { url } = JSON.parse(await firstLine(child, (line) => line.includes('"url"'))) as { url: string };
  const answer = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'admin@company.com', password: PASSWORD }),
  });
  return { url, token: ((await answer.json()) as { access_token: string }).access_token };
}

interface Shot {
  url: string;
  method?: 'GET' | 'POST';
  token?: string;
  connections?: number;
}
async function fire({
  url,
  method = 'POST',
  token,
  connections = 32,
}: Shot): Promise<{ rate: number; p50: number; p99: number }> {
  const result = await autocannon({
    url,
    method,
    connections,
    duration: seconds,
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    ...(method === 'POST' ? { body } : {}),
  });
  if (result.non2xx || result.errors)
    throw new Error(`${url}: ${result.non2xx} refused, ${result.errors} errors`);
  return { rate: result.requests.total / result.duration, p50: result.latency.p50, p99: result.latency.p99 };
}

const median = (list: number[]): number =>
  [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;

/** ABBA rounds; the ratio is taken inside each. */
async function compare(
  name: string,
  bar: string,
  product: Shot,
  ground: Shot,
  by: 'rate' | 'p50' = 'rate',
): Promise<void> {
  const ratios: number[] = [];
  const raw: string[] = [];
  for (let round = -1; round < rounds; round++) {
    const [a, b, c, d] = [await fire(ground), await fire(product), await fire(product), await fire(ground)];
    if (round < 0) continue;
    const ratio = (b[by] + c[by]) / (a[by] + d[by]);
    ratios.push(ratio);
    raw.push(
      `${((b[by] + c[by]) / 2).toFixed(by === 'rate' ? 0 : 2)}/${((a[by] + d[by]) / 2).toFixed(by === 'rate' ? 0 : 2)}`,
    );
  }
  console.log(
    `${name}: ${median(ratios).toFixed(2)} (bar ${bar}); rounds ${ratios.map((one) => one.toFixed(2)).join(' ')}; product/floor ${raw.join(' ')}`,
  );
}

/** Copies of one real ticket, of different statuses and ages. */
async function plant(
  uri: string,
  database: string,
  count: number,
  url: string,
  token: string,
): Promise<string> {
  await fetch(`${url}/api/v1/tickets`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body,
  });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const connection = await mongoose.createConnection(uri, { dbName: database }).asPromise();
  const tickets = connection.collection('tickets');
  const model = await tickets.findOne({});
  if (!model) throw new Error('no model');
  const words = ['printer', 'invoice', 'vpn', 'login', 'export'];
  for (let done = 0; done < count; done += 1_000)
    await tickets.insertMany(
      Array.from({ length: 1_000 }, (_, at) => {
        const n = 9_000_000 + done + at;
        const id = n.toString(16).padStart(24, '0');
        return {
          ...model,
          _id: id as never,
          number: n,
          key: `TKT-${String(n).padStart(6, '0')}`,
          status: ['new', 'open', 'closed', 'resolved'][n % 4],
          createdAt: new Date(model.createdAt.getTime() - n * 1_000),
          updatedAt: new Date(model.updatedAt.getTime() - n * 1_000),
          words: [...(model.words ?? []), words[n % 5], ...(n % 5_000 === 0 ? ['zeppelin'] : [])],
          nextDeadlineAt: null,
        };
      }),
      { ordered: false },
    );
  await connection.close();
  return String(model.company);
}

async function pages(url: string, token: string): Promise<void> {
  const get = async (query: string) =>
    (await (
      await fetch(`${url}/api/v1/tickets?${query}`, { headers: { authorization: `Bearer ${token}` } })
    ).json()) as { next_cursor: string };
  let cursor = '';
  const times: number[] = [];
  for (let page = 1; page <= 1_000; page++) {
    const started = performance.now();
    const answer = await get(`page_size=50${cursor ? `&cursor=${cursor}` : ''}`);
    times.push(performance.now() - started);
    cursor = answer.next_cursor;
    if (!cursor) break;
  }
  const first = median(times.slice(1, 21));
  const last = median(times.slice(-20));
  console.log(
    `P6 page ${times.length} / page 1: ${(last / first).toFixed(2)} (bar <= 1.3); ${last.toFixed(2)} ms / ${first.toFixed(2)} ms`,
  );
  for (const [kind, q] of [
    ['rare', 'zeppelin'],
    ['common', 'printer'],
    ['worst', 'export'],
    ['two', 'printer month'],
    ['prefix', 'zepp'],
  ] as const) {
    const spent: number[] = [];
    for (let time = 0; time < 20; time++) {
      const started = performance.now();
      await get(`q=${encodeURIComponent(q)}&page_size=50`);
      spent.push(performance.now() - started);
    }
    console.log(
      `P7 search, ${kind} ("${q}"): p50 ${median(spent).toFixed(1)} ms, worst ${Math.max(...spent).toFixed(1)} ms (bars: rare p95 <= 50, common <= 500)`,
    );
  }
}

async function main(): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'switchboard-bench-'));
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
  try {
    console.log(
      `node ${process.version}, ${os.cpus().length} cores, load ${os
        .loadavg()
        .map((one) => one.toFixed(1))
        .join(' ')}, ${seconds} s x ${rounds} rounds, embedded engine, fsync on, all roles in one process`,
    );
    const small = await desk(stores.mongodbUri, stores.redisUrl, 'bench_small', path.join(folder, 'small'));
    const large = await desk(stores.mongodbUri, stores.redisUrl, 'bench_large', path.join(folder, 'large'));
    await plant(stores.mongodbUri, 'bench_small', 1_000, small.url, small.token);
    const company = await plant(
      stores.mongodbUri,
      'bench_large',
      Number(values.many),
      large.url,
      large.token,
    );
    const ground = spawn(
      process.execPath,
      ['--import', 'tsx', import.meta.filename, '--floor', named(stores.mongodbUri, 'bench_large')],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(ground);
    const { bare, echo } = JSON.parse(await firstLine(ground, (line) => line.includes('"bare"'))) as {
      bare: number;
      echo: number;
    };
    const list = '/api/v1/tickets?status=new&page_size=50';
    await pages(large.url, large.token);
    await compare(
      'P5 list 50, p50 at many / at 1,000',
      '<= 1.3',
      { url: large.url + list, method: 'GET', token: large.token, connections: 4 },
      { url: small.url + list, method: 'GET', token: small.token, connections: 4 },
      'p50',
    );
    await compare(
      'P5 list 50, rate / floor (driver find)',
      '>= 0.33',
      { url: large.url + list, method: 'GET', token: large.token, connections: 8 },
      { url: `http://127.0.0.1:${bare}/?company=${company}`, method: 'GET', connections: 8 },
    );
    await compare(
      'P4 authenticated no-op / express echo',
      '>= 0.60',
      { url: `${small.url}/api/v1/auth/me`, method: 'GET', token: small.token },
      { url: `http://127.0.0.1:${echo}/` },
    );
    await compare(
      'P1 create / floor (one durable insert)',
      '>= 0.20, aim 0.30',
      { url: `${small.url}/api/v1/tickets`, token: small.token },
      { url: `http://127.0.0.1:${bare}/` },
    );
  } finally {
    for (const child of children) child.kill('SIGTERM');
    await stores.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (values.floor) await floor(values.floor);
else await main();
