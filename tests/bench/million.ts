// Very many tickets: `npm run build && node --import tsx tests/bench/million.ts [--tickets 1000000] [--watch 20]
// [--only import,export,read]`. With `--plant` the driver puts them there and nothing is imported; `--data DIR` keeps them for
// the next time. Says rates, memory, what others wait for, whether what goes out is what came in, and how lists and
// searches are then (P5 to P7).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { filedAt, lineOf, plant, WRONG, WRONG_EVERY } from './planting.ts';
import { reading, searching } from './reading.ts';
import { circumstances, cpuMs, type Desk, enginePid, named, openStand, residentMb, say } from './stand.ts';

const { values } = parseArgs({
  options: {
    tickets: { type: 'string', default: '200000' },
    /** Requests a second of somebody else, meanwhile. */
    watch: { type: 'string', default: '20' },
    plant: { type: 'boolean', default: false },
    data: { type: 'string' },
    only: { type: 'string', default: 'import,export,read' },
  },
});
const count = Number(values.tickets);
const watched = Number(values.watch);
const ALONE_MS = 15_000;
/** A rise that goes on from one to the next is no warming up. */
const EXPORTS = 3;
const wants = (part: string) => values.only.split(',').includes(part);

/** The sum of what is told of every ticket, whatever the order. */
function sum(total: bigint, { ref, title, status }: Record<string, unknown>): bigint {
  const hash = createHash('sha256')
    .update(JSON.stringify([ref, title, status]))
    .digest();
  return (total + hash.readBigUInt64BE()) & 0xffff_ffff_ffff_ffffn;
}

/** Without the pages of files, which the system takes back when it wants them. */
const ownMb = (pid: number): string =>
  (Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024).toFixed(0);

interface Told {
  line?: number;
  error_code?: string;
  progress?: number;
  done?: boolean;
  imported?: number;
}

function bring({ url, token }: Desk, many: number, hear: (told: Told) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const out = request(`${url}/api/v1/tickets/import`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson', authorization: `Bearer ${token}` },
    });
    out.once('error', reject);
    out.once('response', (answer: IncomingMessage) => {
      createInterface({ input: answer })
        .on('line', (line) => hear(JSON.parse(line)))
        .once('close', resolve);
    });
    let at = 0;
    const write = () => {
      while (at < many) if (!out.write(`${JSON.stringify(lineOf(at++))}\n`)) return out.once('drain', write);
      out.end();
    };
    write();
  });
}

/** What somebody else waits for: lists and filings in turn, at a steady rate. */
function watch(desk: Desk, rate: number): { stop: () => Promise<string> } {
  const spent: Record<string, number[]> = { list: [], create: [] };
  const { url } = desk;
  const underWay = new Set<Promise<void>>();
  let turn = 0;
  const one = async (kind: string) => {
    const headers = { authorization: `Bearer ${desk.token}`, 'content-type': 'application/json' };
    const started = performance.now();
    const answer = await (kind === 'list'
      ? fetch(`${url}/api/v1/tickets?status=new&page_size=50`, { headers })
      : fetch(`${url}/api/v1/tickets`, { method: 'POST', headers, body: '{"title":"Somebody else\'s"}' }));
    await answer.arrayBuffer();
    spent[answer.ok ? kind : `${kind} ${answer.status}`] ??= [];
    spent[answer.ok ? kind : `${kind} ${answer.status}`]?.push(performance.now() - started);
  };
  const timer = rate
    ? setInterval(() => {
        const going = one(turn++ % 2 ? 'create' : 'list').catch(() => undefined);
        underWay.add(going);
        void going.then(() => underWay.delete(going));
      }, 1_000 / rate)
    : undefined;
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(underWay);
      return Object.entries(spent)
        .map(([kind, times]) => {
          times.sort((a, b) => a - b);
          const part = (share: number) => times[Math.floor(times.length * share)]?.toFixed(0);
          return `${kind} p50 ${part(0.5)} p95 ${part(0.95)} p99 ${part(0.99)} ms (${times.length})`;
        })
        .join(', ');
    },
  };
}

/** The first so many of those that were brought in. */
async function* exported({ url, token }: Desk): AsyncGenerator<Record<string, unknown>> {
  const before = new Date(filedAt(count)).toISOString();
  const answer = await new Promise<IncomingMessage>((resolve, reject) =>
    request(
      `${url}/api/v1/tickets/export?channel=import&created_before=${before}`,
      { headers: { authorization: `Bearer ${token}` } },
      resolve,
    )
      .once('error', reject)
      .end(),
  );
  for await (const line of createInterface({ input: answer })) yield JSON.parse(line);
}

const stand = await openStand(values.data);
const desk = await stand.desk('million');
const engine = enginePid() ?? 0;
const redis = new Redis(stand.redis);
const clock = Date.now();

async function memory(what: string): Promise<void> {
  const seconds = (Date.now() - clock) / 1_000;
  const used = /used_memory:(\d+)/.exec(await redis.info('memory'))?.[1];
  const told = await (await fetch(`${desk.url}/metrics`)).text();
  const part = (name: string) =>
    (Number(new RegExp(`^nodejs_${name}_bytes (\\S+)`, 'm').exec(told)?.[1]) / 1e6).toFixed(0);
  say(
    `${seconds.toFixed(0)} s, ${what}: API ${residentMb(desk.pid).toFixed(0)} MB (own ${ownMb(desk.pid)}, heap ${part('heap_size_used')} of ${part('heap_size_total')}, external ${part('external_memory')}), engine own ${ownMb(engine)} MB, redis ${(Number(used) / 1e6).toFixed(1)} MB`,
  );
}

async function importing(): Promise<void> {
  const alone = watch(desk, watched);
  await pause(watched ? ALONE_MS : 0);
  say(`others before: ${await alone.stop()}`);
  const others = watch(desk, watched);
  const began = Date.now();
  const used = [cpuMs(desk.pid), cpuMs(engine)];
  const codes: Record<string, number> = {};
  const wrongLines: number[] = [];
  let next = 0;
  let last: Told = {};
  await bring(desk, count, (told) => {
    if (told.line !== undefined) {
      codes[String(told.error_code)] = (codes[String(told.error_code)] ?? 0) + 1;
      wrongLines.push(told.line);
    }
    if (told.progress && told.progress >= next) {
      const rate = Math.round((told.progress * 1_000) / (Date.now() - began));
      void memory(`${told.progress} lines, ${rate}/s`);
      next += count / 20;
    }
    if ('done' in told) last = told;
  });
  const seconds = (Date.now() - began) / 1_000;
  const spent = [desk.pid, engine].map((pid, i) => ((cpuMs(pid) - (used[i] ?? 0)) / count).toFixed(3));
  say(
    `import: ${JSON.stringify(last)} in ${seconds.toFixed(1)} s = ${Math.round(count / seconds)}/s; processor ms a ticket ${spent.join(' + ')}`,
  );
  const expected = Array.from({ length: count }, (_, at) => at).filter((at) => at % WRONG_EVERY === 7);
  const right = wrongLines.sort((a, b) => a - b).every((line, i) => line === (expected[i] ?? -1) + 1);
  say(
    `refused: ${JSON.stringify(codes)}, ${right && wrongLines.length === expected.length ? 'exactly the wrong lines' : 'NOT THE WRONG LINES'}`,
  );
  say(`others meanwhile: ${await others.stop()}`);
  await memory('after the import');
}

async function exporting(): Promise<void> {
  const began = Date.now();
  const used = [cpuMs(desk.pid), cpuMs(engine)];
  let found = 0;
  let total = 0n;
  const keys = new Set<number>();
  let beat = 0;
  for await (const row of exported(desk)) {
    found++;
    keys.add(Number(String(row.key).split('-')[1]));
    total = sum(total, { ref: row.external_ref, title: row.title, status: row.status });
    if (found >= beat) {
      await memory(`${found} exported`);
      beat += count / 5;
    }
  }
  let given = 0n;
  for (let at = 0; at < count; at++) {
    const { external_ref: ref, title, status } = lineOf(at, !values.plant);
    if (status !== WRONG) given = sum(given, { ref, title, status });
  }
  const took = (Date.now() - began) / 1_000;
  const spent = [desk.pid, engine].map((pid, i) => ((cpuMs(pid) - (used[i] ?? 0)) / found).toFixed(3));
  say(
    `export: ${found} rows, ${keys.size} keys, ${total === given ? 'the same sum' : 'ANOTHER SUM'}, ${took.toFixed(1)} s = ${Math.round(found / took)}/s; processor ms a ticket ${spent.join(' + ')}`,
  );
  await memory('after the export');
}

try {
  say(`${circumstances()}, ${count} tickets`);
  await memory('at rest');
  if (values.plant) {
    await plant(named(stand.mongodb, desk.database), count, (done) => {
      if (done % (count / 20) === 0) void memory(`${done} planted`);
    });
  } else if (wants('import')) await importing();
  if (wants('export')) for (let time = 0; time < EXPORTS; time++) await exporting();
  if (wants('read')) {
    const small = await stand.desk('thousand');
    await bring(small, 1_000, () => {});
    await reading(desk, small, count);
  }
  if (wants('search')) await searching(desk);
  redis.disconnect();
} finally {
  await stand.close();
}
process.exit(0);
