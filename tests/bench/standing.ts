// P17 of the speed bars and a change of the SLA rules, on a desk with a crowd of open clocks: `node --import tsx
// tests/bench/standing.ts [--only ready,idle,rules,memory] [--many 100000] [--requests 100000]` after `npm run build`.
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import autocannon from 'autocannon';
import mongoose from 'mongoose';
import { openLog } from '../../src/log.ts';
import { connectStore, disconnectStore } from '../../src/store.ts';
import { plant } from './sla.ts';
import {
  circumstances,
  cpuMs,
  type Desk,
  enginePid,
  fire,
  named,
  openStand,
  residentMb,
  type Stand,
  say,
  shown,
  TICKET,
} from './stand.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'ready,idle,rules,memory' },
    many: { type: 'string', default: '100000' },
    requests: { type: 'string', default: '100000' },
  },
});
const wants = (name: string) => values.only.split(',').includes(name);
const DATABASE = 'bench_standing';
const DAY = 86_400_000;

async function ready(stand: Stand): Promise<Desk> {
  const began = performance.now();
  const desk = await stand.desk(DATABASE);
  say(`P17 ready, and somebody signed in: ${shown((performance.now() - began) / 1_000)} s (bar <= 3)`);
  return desk;
}

/** What we and the stores use while nobody asks anything. */
async function idle({ pid }: Desk, many: number): Promise<void> {
  const pids = [pid, enginePid()].filter((one) => one !== undefined);
  await pause(10_000);
  const before = pids.map(cpuMs);
  const began = performance.now();
  await pause(20_000);
  const shares = pids.map(
    (one, at) => ((cpuMs(one) - (before[at] ?? 0)) * 100) / (performance.now() - began),
  );
  say(
    `P17 idle with ${many} clocks: ${shares.map(shown).join(' % + engine ')} % of a processor (bar <= 2, the desk)`,
  );
}

const read = ({ url, token }: Desk, seconds: number) =>
  fire({
    ...{ url: `${url}/api/v1/tickets?page_size=20&status=open`, method: 'GET', token, seconds },
    ...{ connections: 8, rate: 40 },
  });

/** From the change of a policy until no clock runs by the older one, and how others fare meanwhile. */
async function rules(desk: Desk, many: number): Promise<void> {
  const calm = await read(desk, 6);
  const before = cpuMs(desk.pid);
  const began = performance.now();
  const answer = await fetch(`${desk.url}/api/v1/sla-policies/default`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${desk.token}` },
    body: JSON.stringify({ targets: { critical: { resolution_minutes: 300 } } }),
  });
  if (!answer.ok) throw new Error(await answer.text());
  const answered = performance.now() - began;
  const isSpreading = async () =>
    (await mongoose.connection.collection('sla_rules').countDocuments({ 'spread.at': { $type: 'date' } })) >
    0;
  const waits: number[] = [];
  while (await isSpreading()) waits.push((await read(desk, 2)).p99);
  const spread = (performance.now() - began) / 1_000;
  const version = { 'sla.version': { $lt: 1 } };
  const left = await mongoose.connection.collection('tickets').countDocuments(version);
  const unfiled = () =>
    mongoose.connection.collection('tickets').countDocuments({ pendingAt: { $gt: new Date(0) } });
  while ((await unfiled()) > 0) await pause(250);
  const filed = (performance.now() - began) / 1_000;
  say(
    `a policy of ${many} open tickets was changed: answered in ${shown(answered)} ms, every clock anew after ${shown(spread)} s (${left} left), told to the history after ${shown(filed)} s, ${shown((cpuMs(desk.pid) - before) / many)} ms of ours for each`,
  );
  say(`p99 of a list at 40/s: calm ${shown(calm.p99)} ms; meanwhile ${waits.map(shown).join(' ')} ms`);
}

/** Requests of several kinds, as many as are asked for. */
async function ask({ url, token }: Desk, id: string, amount: number): Promise<number> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  const get = (path: string) => ({ method: 'GET' as const, path: `/api/v1/${path}`, headers });
  const post = (path: string, body: unknown) => ({
    ...{ method: 'POST' as const, path: `/api/v1/${path}`, headers, body: JSON.stringify(body) },
  });
  const result = await autocannon({
    ...{ url, connections: 32, amount },
    requests: [
      ...Array.from({ length: 12 }, () => get(`tickets/${id}`)),
      ...[get('tickets?page_size=5'), get('auth/me'), get(`tickets/${id}/history?page_size=5`)],
      ...[get('users?page_size=5'), get('sla-policies'), post('tickets', TICKET)],
      ...[get('tickets?q=export&page_size=5'), get('tickets/none')],
    ],
  });
  if (result.errors) throw new Error(`${result.errors} errors`);
  return result.requests.average;
}

async function memory(desk: Desk, requests: number): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${desk.token}` };
  const filing = { method: 'POST', headers, body: JSON.stringify(TICKET) };
  const { id } = (await (await fetch(`${desk.url}/api/v1/tickets`, filing)).json()) as { id: string };
  await ask(desk, id, 10_000);
  const first = residentMb(desk.pid);
  const sizes = [first];
  const PIECES = 6;
  for (let piece = 0; piece < PIECES; piece++) {
    await ask(desk, id, Math.round((requests - 10_000) / PIECES));
    sizes.push(residentMb(desk.pid));
  }
  const last = sizes.at(-1) ?? first;
  say(
    `P17 RSS after ${requests} requests / after 10,000: ${shown(last / first)} (bar <= 1.10); MB ${sizes.map(shown).join(' ')}`,
  );
}

const stand = await openStand();
try {
  const { pid } = await ready(stand);
  await connectStore({ uri: named(stand.mongodb, DATABASE), log: openLog('silent') });
  const many = Number(values.many);
  if (wants('idle') || wants('rules')) await plant(many, (index) => DAY + index, 'W');
  process.kill(pid, 'SIGTERM');
  await pause(3_000);
  const desk = await ready(stand);
  if (wants('idle')) await idle(desk, many);
  if (wants('rules')) await rules(desk, many);
  if (wants('memory')) await memory(desk, Number(values.requests));
  say(circumstances());
} finally {
  await disconnectStore();
  await stand.close();
}
