// P8 and L1: how fast Slack's events are acknowledged, beside the bare work (HMAC, JSON, one durable insert) on the same
// database in the same run; how late at 25 events a second; and the same while every answer of MongoDB takes 500 ms more.
// Run by itself: MONGODB_URI and REDIS_URL say where the stores are.
import { type ChildProcess, fork } from 'node:child_process';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcp } from 'node:net';
import os from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import mongoose from 'mongoose';
import { loadConfig } from '../../src/config.ts';
import { openLog } from '../../src/log.ts';
import { run } from '../../src/main.ts';
import { startFakeSlack } from '../support/fake-slack.ts';
import { sign } from '../support/fake-slack-people.ts';

const SECRET = 'a'.repeat(32);
const PHASE_MS = Number(process.env.PHASE_MS ?? 3_000);
const ROUNDS = Number(process.env.ROUNDS ?? 7);
const ABREAST = 32;
const mark = `bench_slack_${Date.now()}`;

interface Place {
  child: ChildProcess;
  url: string;
}

/** This file, again, as a server of its own. */
function start(role: 'floor' | 'product', env: Record<string, string>): Promise<Place> {
  const child = fork(import.meta.filename, [role], {
    env: { ...process.env, ...env },
    execArgv: process.execArgv,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.once('message', (url) => resolve({ child, url: String(url) }));
    child.once('exit', (code) => reject(new Error(`${role} ended with ${code}`)));
  });
}

async function serveFloor(): Promise<void> {
  const client = await mongoose.mongo.MongoClient.connect(String(process.env.MONGODB_URI));
  const rows = client.db(mark).collection('floor', { writeConcern: { w: 'majority', journal: true } });
  const server = createServer(async (req, res) => {
    const parts: Buffer[] = [];
    for await (const part of req) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const at = String(req.headers['x-slack-request-timestamp']);
    const wanted = createHmac('sha256', SECRET).update(`v0:${at}:`).update(body).digest('hex');
    const given = String(req.headers['x-slack-signature']).slice(3);
    if (!timingSafeEqual(Buffer.from(wanted), Buffer.from(given))) return void res.writeHead(401).end();
    const event = JSON.parse(body.toString()) as { event_id: string };
    await rows.insertOne({ _id: event.event_id as never, event });
    res.end();
  });
  server.listen(0, '127.0.0.1', () =>
    process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}/slack/events`),
  );
}

async function serveProduct(): Promise<void> {
  const dataDir = `${os.tmpdir()}/${mark}-${process.pid}`;
  const config = loadConfig(
    { ...process.env, SWITCHBOARD_ENV: 'test', PORT: '0', HOST: '127.0.0.1', DATA_DIR: dataDir },
    dataDir,
  );
  const running = await run(config, openLog('error'), process.env.BENCH_DATABASE);
  process.send?.(`${running.url}/slack/events`);
}

let count = 0;
interface Speaker {
  team: string;
  user: string;
  channel: string;
}
function eventBody({ team, user, channel }: Speaker): string {
  count += 1;
  const ts = `${1_700_000_000 + count}.000100`;
  return JSON.stringify({
    type: 'event_callback',
    team_id: team,
    api_app_id: 'A0SWITCH',
    event_id: `Ev${process.pid}x${count}`,
    event_time: 1_700_000_000,
    event: {
      type: 'message',
      channel,
      channel_type: 'channel',
      user,
      text: `message number ${count} of a busy channel`,
      ts,
      event_ts: ts,
    },
    authorizations: [{ team_id: team, user_id: 'U0', is_bot: true }],
  });
}

async function post(url: string, body: string): Promise<{ ms: number; status: number }> {
  const at = Math.floor(Date.now() / 1000);
  const started = performance.now();
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-slack-request-timestamp': String(at),
      'x-slack-signature': sign(SECRET, at, body),
    },
    body,
  });
  await answer.arrayBuffer();
  return { ms: performance.now() - started, status: answer.status };
}

/** Closed loop: as many as it takes in the time, 32 at once. */
async function rate(url: string, who: Speaker, ms = PHASE_MS): Promise<number> {
  const until = performance.now() + ms;
  let done = 0;
  await Promise.all(
    Array.from({ length: ABREAST }, async () => {
      while (performance.now() < until) {
        const { status } = await post(url, eventBody(who));
        if (status !== 200) throw new Error(`answered ${status}`);
        done += 1;
      }
    }),
  );
  return done / (ms / 1000);
}

/** Open loop: so many a second, whatever becomes of the ones before. */
async function lateness(url: string, who: Speaker, perSecond: number, seconds: number) {
  const sent: Promise<{ ms: number; status: number }>[] = [];
  const started = performance.now();
  for (let at = 0; at < perSecond * seconds; at += 1) {
    const wait = started + (at * 1000) / perSecond - performance.now();
    if (wait > 0) await pause(wait);
    sent.push(post(url, eventBody(who)));
  }
  const all = await Promise.all(sent);
  const times = all.map((one) => one.ms).sort((a, b) => a - b);
  const q = (share: number): number =>
    Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN);
  return {
    events: all.length,
    acknowledged: all.filter((one) => one.status === 200).length,
    within3s: all.filter((one) => one.status === 200 && one.ms < 3000).length,
    p50: q(0.5),
    p99: q(0.99),
    max: q(1),
  };
}

/** Every answer of the store comes so much later, once it is said how much. */
async function slowStore(uri: string): Promise<{ uri: string; delay: { ms: number }; close: () => void }> {
  const delay = { ms: 0 };
  const [, host = ''] = /^mongodb:\/\/([^/]+)(\/.*)?$/.exec(uri) ?? [];
  const socketPath = host.includes('%2F') ? decodeURIComponent(host) : undefined;
  const [name = '127.0.0.1', port = '27017'] = host.split(':');
  const server = createTcp((near) => {
    const far = socketPath ? connect(socketPath) : connect(Number(port), name);
    near.on('data', (chunk) => far.write(chunk));
    far.on('data', (chunk) => setTimeout(() => near.writable && near.write(chunk), delay.ms));
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on('close', () => other.destroy()).on('error', () => other.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    uri: `mongodb://127.0.0.1:${(server.address() as AddressInfo).port}/?directConnection=true`,
    delay,
    close: () => server.close(),
  };
}

const median = (list: number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;

async function main(): Promise<void> {
  const uri = String(process.env.MONGODB_URI);
  const slack = await startFakeSlack();
  const team = slack.team('Bench');
  const who = { team: team.id, user: 'U0SOMEBODY', channel: 'C0BUSY' };
  const env = {
    SLACK_SIGNING_SECRET: SECRET,
    SLACK_BOT_TOKEN: team.token,
    SLACK_API_URL: slack.apiUrl,
    BENCH_DATABASE: mark,
    REDIS_PREFIX: mark,
    ROLES: 'api,worker,slack',
  };
  const floor = await start('floor', {});
  const product = await start('product', env);
  await rate(floor.url, who, 1_000);
  await rate(product.url, who, 1_000);
  const ratios: number[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const f1 = await rate(floor.url, who);
    const p1 = await rate(product.url, who);
    const p2 = await rate(product.url, who);
    const f2 = await rate(floor.url, who);
    ratios.push((p1 + p2) / (f1 + f2));
    console.log(
      `round ${round}: floor ${Math.round(f1)} ${Math.round(f2)}/s, product ${Math.round(p1)} ${Math.round(p2)}/s, ratio ${ratios.at(-1)?.toFixed(2)}`,
    );
  }
  const sorted = ratios.toSorted((a, b) => a - b);
  console.log(
    `P8 rate / floor: median ${median(ratios).toFixed(2)}, from ${sorted[0]?.toFixed(2)} to ${sorted.at(-1)?.toFixed(2)} (bar 0.40)`,
  );
  await pause(3_000);
  console.log(
    'P8 at 25 events/s:',
    JSON.stringify(await lateness(product.url, who, 25, 20)),
    '(bar p99 50 ms)',
  );
  product.child.kill();
  floor.child.kill();
  const slow = await slowStore(uri);
  const late = await start('product', { ...env, MONGODB_URI: slow.uri, BENCH_DATABASE: `${mark}_slow` });
  await lateness(late.url, who, 5, 2);
  slow.delay.ms = 500;
  // The pool of connections grows first: over five minutes that is nothing, over twenty seconds it would be the p99.
  await lateness(late.url, who, 25, 5);
  console.log(
    'P8, L1 with MongoDB 500 ms slower:',
    JSON.stringify(await lateness(late.url, who, 25, Number(process.env.SLOW_SECONDS ?? 30))),
    '(bar p99 1 s, all within 3 s)',
  );
  late.child.kill();
  console.log(
    `load ${os
      .loadavg()
      .map((one) => one.toFixed(1))
      .join(
        ' ',
      )}, node ${process.version}, ${ABREAST} connections, durable writes, generator on the same cores`,
  );
  slow.close();
  await slack.stop();
  const client = await mongoose.mongo.MongoClient.connect(uri);
  for (const name of [mark, `${mark}_slow`]) await client.db(name).dropDatabase();
  await client.close();
  process.exit(0);
}

const [role] = process.argv.slice(2);
await (role === 'floor' ? serveFloor() : role === 'product' ? serveProduct() : main());
