// The desk's speed as ratios (P1, P4 to P7), product and floor in turn: `npm run bench -- [--only P1,P7] [--seconds 3]
// [--rounds 5] [--many 100000]`. Without --only, those of strain.ts follow.
import { parseArgs } from 'node:util';
import mongoose from 'mongoose';
import {
  circumstances,
  cpuMs,
  type Desk,
  enginePid,
  fire,
  inTurns,
  median,
  openStand,
  type Shot,
  type Stand,
  say,
  TICKET,
} from './stand.ts';
import { strain } from './strain.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    many: { type: 'string', default: '100000' },
    only: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const only = values.only?.toUpperCase().split(',');
const wants = (name: string): boolean => !only || only.includes(name);

const compare = (
  name: string,
  bar: string,
  product: Omit<Shot, 'seconds'>,
  ground: Omit<Shot, 'seconds'>,
  by: 'rate' | 'p50' = 'rate',
) => {
  const measured = (shot: Omit<Shot, 'seconds'>) => async () => {
    const found = await fire({ ...shot, seconds });
    if (found.refused) throw new Error(`${shot.url}: ${found.refused} refused`);
    return found[by];
  };
  return inTurns({ name, bar, rounds, product: measured(product), ground: measured(ground) });
};

const SHOTS = 8;
/** Of our process and of the engine's, for one request: the least of several, for others only ever add to it. */
async function costOf(shot: Omit<Shot, 'seconds'>, pid: number): Promise<string> {
  const pids = [pid, enginePid()].filter((one) => one !== undefined);
  const least = pids.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < SHOTS; round++) {
    const before = pids.map(cpuMs);
    const { rate } = await fire({ ...shot, seconds: 1 });
    for (const [i, one] of pids.entries())
      least[i] = Math.min(least[i] ?? 0, (cpuMs(one) - (before[i] ?? 0)) / Math.max(1, rate));
  }
  return least.map((ms) => `${ms.toFixed(3)} ms`).join(' + engine ');
}

/** Copies of one real ticket, of different statuses and ages. */
async function plant(stand: Stand, { database, url, token }: Desk, count: number): Promise<string> {
  await fetch(`${url}/api/v1/tickets`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(TICKET),
  });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const connection = await mongoose.createConnection(stand.mongodb, { dbName: database }).asPromise();
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

const asking =
  ({ url, token }: Desk) =>
  async (query: string) =>
    (await (
      await fetch(`${url}/api/v1/tickets?${query}`, { headers: { authorization: `Bearer ${token}` } })
    ).json()) as { next_cursor: string };

async function pages(desk: Desk): Promise<void> {
  const get = asking(desk);
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
  say(
    `P6 page ${times.length} / page 1: ${(last / first).toFixed(2)} (bar <= 1.3); ${last.toFixed(2)} ms / ${first.toFixed(2)} ms`,
  );
}

const SEARCHES = [
  ['rare', 'zeppelin'],
  ['common', 'printer'],
  ['in every ticket', 'export'],
  ['two common', 'printer month'],
  ['two that never meet', 'printer vpn'],
  ['prefix', 'zepp'],
] as const;

/** Against the bare query: fifty by one word of the same index, over the same kind of door. */
async function searches(desk: Desk, bare: string): Promise<void> {
  const get = asking(desk);
  const word = (q: string) => async () => {
    const spent: number[] = [];
    for (let time = 0; time < 20; time++) {
      const started = performance.now();
      await get(`q=${encodeURIComponent(q)}&page_size=50`);
      spent.push(performance.now() - started);
    }
    return spent.sort((a, b) => a - b);
  };
  const raw = async () => {
    const spent: number[] = [];
    for (let time = 0; time < 20; time++) {
      const started = performance.now();
      await (await fetch(`${bare}&word=printer`)).json();
      spent.push(performance.now() - started);
    }
    return median(spent);
  };
  const floor = await raw();
  for (const [kind, q] of SEARCHES) {
    const spent = await word(q)();
    say(
      `P7 search, ${kind} ("${q}"): p50 ${median(spent).toFixed(1)} ms, p95 ${spent[18]?.toFixed(1)} ms, bare query ${floor.toFixed(1)} ms (bars: rare p95 <= 50, common <= 500)`,
    );
  }
}

async function main(): Promise<void> {
  const stand = await openStand();
  try {
    say(`${circumstances()}, ${seconds} s x ${rounds} rounds`);
    const small = await stand.desk('bench_small');
    await plant(stand, small, 1_000);
    if (['P5', 'P6', 'P7'].some(wants)) {
      const large = await stand.desk('bench_large');
      const company = await plant(stand, large, Number(values.many));
      const { bare } = await stand.floor(large);
      const list = '/api/v1/tickets?status=new&page_size=50';
      const lists = ({ url, token }: Desk, connections: number) =>
        ({ url: url + list, method: 'GET', token, connections }) as const;
      if (wants('P6')) await pages(large);
      if (wants('P7')) await searches(large, `${bare}/?company=${company}`);
      if (wants('P5')) {
        await compare(
          'P5 list 50, p50 at many / at 1,000',
          '<= 1.3',
          lists(large, 4),
          lists(small, 4),
          'p50',
        );
        const ground = { url: `${bare}/?company=${company}`, method: 'GET', connections: 8 } as const;
        await compare('P5 list 50, rate / floor (driver find)', '>= 0.33', lists(large, 8), ground);
      }
    }
    const { bare, echo, pid } = await stand.floor(small);
    const me = { url: `${small.url}/api/v1/auth/me`, method: 'GET', token: small.token } as const;
    if (wants('P4'))
      await compare('P4 authenticated no-op / express echo', '>= 0.60', me, { url: `${echo}/` });
    const create = { url: `${small.url}/api/v1/tickets`, token: small.token };
    if (wants('P1')) {
      const ground = { url: `${bare}/` };
      await compare('P1 create / floor (one durable insert)', '>= 0.20, aim 0.30', create, ground);
      const [mine, its] = [await costOf(create, small.pid), await costOf(ground, pid)];
      say(`P1 processor time of a create: ${mine}; of the floor: ${its} (least of ${SHOTS} seconds)`);
    }
    await strain({ stand, desk: small, bare, seconds, rounds, wants });
  } finally {
    await stand.close();
  }
}

await main();
process.exit(0);
