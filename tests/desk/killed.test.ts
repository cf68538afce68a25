// The promise of the house: whoever is killed at whatever moment, what was answered is there, and what is asked again
// with the same key happens once. Clients hammer a Switchboard that is killed with -9 again and again.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import type { Entry } from '../../src/history/entry.ts';
import type { StoredTicket } from '../../src/tickets/ticket.ts';
import { check } from '../support/checker.ts';
import { type Child, childOf } from '../support/child.ts';

/** `KILLS=45 npm test -- tests/desk/killed.test.ts` for a longer siege. */
const KILLS = Number(process.env.KILLS ?? 8);
const CLIENTS = 6;
const PATIENCE_MS = 120_000;
const database = `killed_${randomBytes(5).toString('hex')}`;
const uri = process.env.TEST_MONGODB_URI ?? '';
const dataDir = mkdtempSync(path.join(os.tmpdir(), 'switchboard-killed-'));
let child: Child;
const named = (server: string, name: string): string => {
  const address = new URL(server);
  address.pathname = `/${name}`;
  return String(address);
};
let token = '';

beforeAll(async () => {
  child = await childOf({
    ...{ SWITCHBOARD_ENV: 'test', DATA_DIR: dataDir, ROLES: 'api,worker', LOG_LEVEL: 'debug' },
    ...{ MONGODB_URI: named(uri, database), REDIS_URL: process.env.TEST_REDIS_URL ?? '' },
    ...{ REDIS_PREFIX: database, ADMIN_EMAIL: 'admin@company.com', ADMIN_PASSWORD: 'correct horse battery' },
  });
  await child.start();
  const account = { email: 'admin@company.com', password: 'correct horse battery' };
  const { body } = await insist('auth/login', account, 'login');
  token = String(body.access_token);
  await insist('desks', { key: 'MOV', name: 'Where tickets go', preset: 'support' }, 'desk');
}, PATIENCE_MS);

afterAll(async () => {
  await child.kill();
  const client = await mongoose.mongo.MongoClient.connect(uri);
  await client.db(database).dropDatabase();
  await client.close();
  rmSync(dataDir, { recursive: true, force: true });
});

interface Said {
  status: number;
  body: Record<string, unknown>;
}

async function ask(at: string, body: unknown, key?: string): Promise<Said> {
  const answer = await fetch(`${child.url}/api/v1/${at}`, {
    method: 'POST',
    headers: {
      ...{ connection: 'close', 'content-type': 'application/json' },
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(key ? { 'idempotency-key': key } : {}),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });
  return { status: answer.status, body: (await answer.json()) as Said['body'] };
}

/** As a careful client does: until there is an answer, with the same key. */
async function insist(at: string, body: unknown, key: string): Promise<Said & { tries: number }> {
  const until = Date.now() + PATIENCE_MS;
  for (let tries = 1; Date.now() < until; tries++) {
    try {
      const said = await ask(at, body, key);
      const again = said.status === 503 || said.body.error_code === 'E_IDEMPOTENCY_IN_FLIGHT';
      if (!again) return { ...said, tries };
    } catch {
      // the other side died: ask again
    }
    await pause(50);
  }
  throw new Error(`no answer to ${key}`);
}

interface Deed {
  key: string;
  at: string;
  sent: unknown;
  said: Said & { tries: number };
}

async function work(client: number, deeds: Deed[], isOver: () => boolean): Promise<void> {
  const last: string[] = [];
  for (let nth = 0; !isOver(); nth++) {
    const deed = async (at: string, sent: Record<string, unknown>) => {
      const key = `${client}-${nth}-${at.split('/').at(-1)}`;
      const said = await insist(at, JSON.parse(JSON.stringify(sent).replaceAll('KEY', key)), key);
      deeds.push({ key, at, sent, said });
      return said;
    };
    const { body } = await deed('tickets', { title: 'KEY', description: 'as the clients say' });
    const id = String(body.id);
    await deed(`tickets/${id}/comments`, { content: 'KEY', is_internal: nth % 2 === 0 });
    await deed(`tickets/${id}/claim`, {});
    if (nth % 3 === 0) await deed(`tickets/${id}/resolve`, { resolution_notes: 'KEY' });
    if (nth % 4 === 3) await deed(`tickets/${id}/move`, { desk: 'MOV' });
    const other = last.pop();
    if (other && nth % 3 === 1) {
      await deed(`tickets/${id}/merge`, { into: other });
      if (nth % 2 === 0) await deed(`tickets/${id}/unmerge`, {});
    } else if (other && nth % 3 === 2)
      await deed(`tickets/${id}/links`, { ticket_id: other, kind: 'related' });
    last.push(nth % 3 === 1 ? (other ?? id) : id);
  }
}

test(
  'killed again and again, it loses nothing and does nothing twice',
  async () => {
    const deeds: Deed[] = [];
    let over = false;
    const clients = Array.from({ length: CLIENTS }, (_, client) => work(client, deeds, () => over));
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        await progress(deeds);
        await child.kill();
        await child.start();
      }
    } finally {
      over = true;
    }
    await Promise.all(clients);

    expect(deeds.length).toBeGreaterThan(KILLS * 2);
    const bad = deeds.filter(({ said }) => said.status >= 300);
    expect(bad.map(({ key, said }) => [key, said.body.detail])).toEqual([]);
    expect(deeds.filter(({ said }) => said.tries > 1).length).toBeGreaterThan(0);
    for (const { key, at, sent, said } of deeds.slice(-5)) {
      const again = await ask(at, JSON.parse(JSON.stringify(sent).replaceAll('KEY', key)), key);
      expect([again.status, again.body.id]).toEqual([said.status, said.body.id]);
    }
    await settled();
    const findings = await check(uri, database);
    expect(findings.problems).toEqual([]);
    await eachOnce(deeds);
  },
  PATIENCE_MS + KILLS * 15_000,
);

test(
  'a file that is sent again after each kill is filed once, line by line',
  async () => {
    const count = 2_000;
    const line = (at: number) => ({
      ...{ title: `Line ${at}`, external_ref: `F-${at}`, requester: `f${at % 40}@example.com` },
      ...(at % 5 === 0 ? { comments: [{ content: 'as it was' }] } : {}),
    });
    const file = Array.from({ length: count }, (_, at) => JSON.stringify(line(at))).join('\n');
    const send = async () => {
      const answer = await fetch(`${child.url}/api/v1/tickets/import`, {
        method: 'POST',
        headers: {
          ...{ connection: 'close', 'content-type': 'application/x-ndjson' },
          authorization: `Bearer ${token}`,
        },
        body: file,
      });
      return JSON.parse((await answer.text()).trim().split('\n').at(-1) ?? '');
    };
    for (let kill = 0; kill < 2; kill++) {
      const sent = send().catch(() => undefined);
      await pause(100 + Math.random() * 500);
      await child.kill();
      await sent;
      await child.start();
      await insist('desks', { key: 'MOV', name: 'There already', preset: 'support' }, `up-${kill}`);
    }
    const told = await send();
    expect(told).toMatchObject({ done: true, refused: 0 });
    expect(told.imported + told.already_there).toBe(count);
    await settled();
    const findings = await check(uri, database);
    expect(findings.problems).toEqual([]);
    const client = await mongoose.mongo.MongoClient.connect(uri);
    const db = client.db(database);
    const refs = await db.collection('tickets').distinct('externalRef', { channel: 'import' });
    expect(refs).toHaveLength(count);
    expect(await db.collection('tickets').countDocuments({ channel: 'import' })).toBe(count);
    expect(await db.collection('contacts').countDocuments({ emails: /^f\d+@/ })).toBe(40);
    await client.close();
  },
  PATIENCE_MS,
);

/** Some deeds are done, some are under way. */
async function progress(deeds: readonly Deed[]): Promise<void> {
  const enough = deeds.length + 1 + Math.random() * 12;
  for (const until = Date.now() + 10_000; Date.now() < until && deeds.length < enough; ) await pause(5);
  await pause(Math.random() * 40);
}

/** The relay of the last process drains by itself. */
async function settled(): Promise<void> {
  const client = await mongoose.mongo.MongoClient.connect(uri);
  const tickets = client.db(database).collection('tickets');
  for (const until = Date.now() + 20_000; Date.now() < until; await pause(100))
    if (!(await tickets.findOne({ pendingAt: { $type: 'date' } }))) break;
  await client.close();
}

async function eachOnce(deeds: readonly Deed[]): Promise<void> {
  const client = await mongoose.mongo.MongoClient.connect(uri);
  const db = client.db(database);
  const tickets = await db.collection<StoredTicket>('tickets').find().toArray();
  const entries = await db.collection<Entry>('history').find().toArray();
  await client.close();
  const count = (action: string, fits: (entry: Entry) => boolean) =>
    entries.filter((entry) => entry.action === action && fits(entry)).length;
  const wrong: string[] = [];
  for (const { key, at, sent, said } of deeds) {
    const ticket = at.split('/')[1];
    const [deed] = at.split('/').slice(-1);
    const times = {
      tickets: () => tickets.filter((one) => one.title === key && one._id === said.body.id).length,
      comments: () => count('comment_added', (one) => one.comment?.text === key),
      claim: () => count('assignment_change', (one) => one.ticket === ticket),
      resolve: () => count('resolved', (one) => one.ticket === ticket),
      move: () => count('moved', (one) => one.ticket === ticket),
      merge: () => count('merged', (one) => one.facts?.from === ticket),
      unmerge: () => count('merged', (one) => one.facts?.gaveBack === ticket),
      links: () =>
        tickets
          .find((one) => one._id === ticket)
          ?.links.filter((one) => one.ticket === (sent as { ticket_id: string }).ticket_id).length ?? 0,
    }[deed as 'tickets']();
    if (times !== 1) wrong.push(`${key} happened ${times} times`);
  }
  expect(wrong).toEqual([]);
  expect(tickets).toHaveLength(deeds.filter(({ at }) => at === 'tickets').length);
}
