// A file of very many tickets in and out again: `node --import tsx tests/bench/million.ts [--tickets 1000000]
// [--watch 20]` (after `npm run build`). Says the rate, what everybody holds of memory meanwhile, what others wait for,
// whether the refused lines were the wrong ones, whether what goes out is what came in, and how lists are then (P5 to P7).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { circumstances, cpuMs, type Desk, enginePid, median, openStand, residentMb, say } from './stand.ts';

const { values } = parseArgs({
  options: {
    tickets: { type: 'string', default: '200000' },
    /** Requests a second of somebody else, meanwhile. */
    watch: { type: 'string', default: '20' },
  },
});
const count = Number(values.tickets);
const watched = Number(values.watch);
/** Every so many lines one is wrong. */
const WRONG_EVERY = 1_000;

const THINGS = ['login page', 'invoice', 'export', 'printer on floor 3', 'mobile app', 'VPN', 'dashboard'];
const TROUBLES = [
  'does not load',
  'shows an error 500',
  'is very slow',
  'times out',
  'shows the wrong amount',
];
const STATUS = ['new', 'open', 'in_progress', 'pending', 'resolved', 'closed', 'closed'];

function lineOf(at: number): Record<string, unknown> {
  const thing = THINGS[at % THINGS.length];
  const trouble = TROUBLES[at % TROUBLES.length];
  const status = STATUS[at % STATUS.length];
  const filed = Date.UTC(2025, 0, 1) + at * 30_000;
  return {
    title: `The ${thing} ${trouble} (${at})`,
    description: `Hello,\n\nthe ${thing} ${trouble} since this morning, and it blocks our month end.\n\nRegards`,
    status: at % WRONG_EVERY === 7 ? 'dancing' : status,
    priority: ['critical', 'high', 'medium', 'low'][at % 4],
    category: ['technical', 'billing', 'general'][at % 3],
    tags: [String(thing).split(' ')[0]?.toLowerCase(), ...(at % 5 === 0 ? ['vip'] : [])],
    requester: `customer${at % 20_000}@example.com`,
    external_ref: `OLD-${at}`,
    created_at: new Date(filed).toISOString(),
    ...(status === 'closed' ? { closed_at: new Date(filed + 3_600_000).toISOString() } : {}),
    ...(at % 4 === 0 ? { comments: [{ content: 'Thanks, we look into it.', author: 'Ana' }] } : {}),
  };
}

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
function watch({ url, token }: Desk, rate: number): { stop: () => Promise<string> } {
  const spent: Record<string, number[]> = { list: [], create: [] };
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const underWay = new Set<Promise<void>>();
  let turn = 0;
  const one = async (kind: string) => {
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

async function* exported({ url, token }: Desk): AsyncGenerator<Record<string, unknown>> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) =>
    request(
      `${url}/api/v1/tickets/export?channel=import`,
      { headers: { authorization: `Bearer ${token}` } },
      resolve,
    )
      .once('error', reject)
      .end(),
  );
  for await (const line of createInterface({ input: answer })) yield JSON.parse(line);
}

/** Median and 95th percentile of one question asked again and again, in ms. */
async function asked(
  { url, token }: Desk,
  query: string,
  times = 100,
): Promise<{ p50: number; p95: number }> {
  const spent: number[] = [];
  for (let time = 0; time < times; time++) {
    const started = performance.now();
    const answer = await fetch(`${url}/api/v1/tickets?${query}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`${query}: ${answer.status}`);
    spent.push(performance.now() - started);
  }
  spent.sort((a, b) => a - b);
  return { p50: median(spent), p95: spent[Math.floor(times * 0.95)] ?? 0 };
}

/** P5 to P7 on what was brought in. */
async function reading(large: Desk, small: Desk): Promise<void> {
  const list = 'status=new&page_size=50';
  const ratios: number[] = [];
  for (let round = 0; round < 6; round++) {
    const [a, b, c, d] = [
      await asked(small, list),
      await asked(large, list),
      await asked(large, list),
      await asked(small, list),
    ];
    if (round) ratios.push((b.p50 + c.p50) / (a.p50 + d.p50));
  }
  say(
    `P5 list 50, p50 at ${count} / at 1,000: ${median(ratios).toFixed(2)} (bar <= 1.5); ${ratios.map((one) => one.toFixed(2)).join(' ')}`,
  );
  const headers = { authorization: `Bearer ${large.token}` };
  const times: number[] = [];
  for (let page = 0, cursor = ''; page < 1_000; page++) {
    const started = performance.now();
    const answer = await fetch(`${large.url}/api/v1/tickets?page_size=50${cursor}`, { headers });
    const { next_cursor: next } = (await answer.json()) as { next_cursor: string };
    times.push(performance.now() - started);
    if (!next) break;
    cursor = `&cursor=${next}`;
  }
  const [first, last] = [median(times.slice(1, 21)), median(times.slice(-20))];
  say(
    `P6 page ${times.length} / page 1: ${(last / first).toFixed(2)} (bar <= 1.3); ${last.toFixed(2)} / ${first.toFixed(2)} ms`,
  );
  for (const [kind, q] of [
    ['of one ticket', 'OLD-12345'],
    ['rare', 'customer777'],
    ['common', 'invoice'],
    ['in every ticket', 'month'],
    ['two common', 'invoice month'],
    ['two that never meet', 'invoice vpn'],
  ] as const) {
    const { p50, p95 } = await asked(large, `q=${encodeURIComponent(q)}&page_size=50`, 20);
    say(
      `P7 search, ${kind} ("${q}"): p50 ${p50.toFixed(1)}, p95 ${p95.toFixed(1)} ms (bars: rare p95 <= 50, common <= 500)`,
    );
  }
}

const stand = await openStand();
try {
  say(`${circumstances()}, ${count} tickets`);
  const desk = await stand.desk('million');
  const engine = enginePid() ?? 0;
  const clock = Date.now();
  const started = [cpuMs(desk.pid), cpuMs(engine)];
  const redis = new Redis(stand.redis);
  const memory = async (what: string, tickets = 0) => {
    const seconds = (Date.now() - clock) / 1_000;
    const used = /used_memory:(\d+)/.exec(await redis.info('memory'))?.[1];
    const spent = [desk.pid, engine].map((pid, i) => (cpuMs(pid) - (started[i] ?? 0)) / Math.max(1, tickets));
    say(
      `${seconds.toFixed(0)} s, ${what}: API ${residentMb(desk.pid).toFixed(0)} MB (own ${ownMb(desk.pid)}), engine own ${ownMb(engine)} MB, redis ${(Number(used) / 1e6).toFixed(1)} MB${tickets ? `; processor ms a ticket ${spent.map((ms) => ms.toFixed(3)).join(' + ')}` : ''}`,
    );
  };
  await memory('at rest');
  const others = watch(desk, watched);
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
      void memory(
        `${told.progress} lines, ${Math.round((told.progress * 1_000) / (Date.now() - clock))}/s`,
        told.progress,
      );
      next += count / 20;
    }
    if ('done' in told) last = told;
  });
  const seconds = (Date.now() - clock) / 1_000;
  say(`import: ${JSON.stringify(last)} in ${seconds.toFixed(1)} s = ${Math.round(count / seconds)}/s`);
  const expected = Array.from({ length: count }, (_, at) => at).filter((at) => at % WRONG_EVERY === 7);
  const right = wrongLines.sort((a, b) => a - b).every((line, i) => line === (expected[i] ?? -1) + 1);
  say(
    `refused: ${JSON.stringify(codes)}, ${right && wrongLines.length === expected.length ? 'exactly the wrong lines' : 'NOT THE WRONG LINES'}`,
  );
  say(`others meanwhile: ${await others.stop()}`);
  await memory('after the import', count);

  const away = Date.now();
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
  for (let at = 0; at < count; at++)
    if (at % WRONG_EVERY !== 7) {
      const { external_ref: ref, title, status } = lineOf(at);
      given = sum(given, { ref, title, status });
    }
  const took = (Date.now() - away) / 1_000;
  say(
    `export: ${found} rows, ${keys.size} keys, ${total === given ? 'the same sum' : 'ANOTHER SUM'}, ${took.toFixed(1)} s = ${Math.round(found / took)}/s`,
  );
  const small = await stand.desk('thousand');
  await bring(small, 1_000, () => {});
  await reading(desk, small);
  redis.disconnect();
} finally {
  await stand.close();
}
process.exit(0);
