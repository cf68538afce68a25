// Files never stand in memory: a process that takes or gives fifty megabytes grows by less than twenty. And one that is
// killed while a file arrives leaves nothing behind that anybody could meet, or that is not swept away.
import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { sweepFiles } from '../../src/files/attachments.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { type Desk, startDesk } from '../support/processes.ts';
import { fetchFile, lines, sendFile } from '../support/uploads.ts';
import { openWorld, type World } from '../support/world.ts';

const SIZE = 50_000_000;
const MOST_MB = 20;
let world: World;
let desk: Desk;
let url: string;
let admin: string;
let ticket: string;

beforeAll(async () => {
  world = await openWorld();
  admin = await world.admin();
  ticket = (await world.call('POST', '/api/v1/tickets', { as: admin, body: { title: 'With files' } })).body
    .id;
  await start();
}, 60_000);
afterAll(async () => {
  desk.child.kill('SIGKILL');
  await desk.ended;
  await world.close();
});

async function start() {
  desk = await startDesk(world, { ROLES: 'api', LOG_LEVEL: 'warn' });
  url = /^ready (\S+)/m.exec(desk.said())?.[1] ?? '';
}
const upload = (bytes: AsyncIterable<Buffer>) =>
  sendFile(`${url}/api/v1/tickets/${ticket}/attachments`, admin, 'a.log', bytes);
const listed = async (): Promise<unknown[]> =>
  (await world.call('GET', `/api/v1/tickets/${ticket}/attachments`, { as: admin })).body.items;

const status = (name: 'VmRSS' | 'VmHWM'): number =>
  Number(
    new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${desk.pid}/status`, 'utf8'))?.[1],
  ) / 1024;

/** By how many MB the process grew at its largest while this was done. */
async function growth(work: () => Promise<unknown>): Promise<number> {
  writeFileSync(`/proc/${desk.pid}/clear_refs`, '5');
  const before = status('VmRSS');
  await work();
  return status('VmHWM') - before;
}

test('fifty megabytes in and out cost less than twenty of memory', async () => {
  const warm = await upload(lines(100_000));
  await fetchFile(`${url}${warm.body.url}`, admin);
  const sent: { url: string; sha256: string }[] = [];
  const up = await growth(async () => {
    const { status, body, sha256 } = await upload(lines(SIZE));
    expect([status, body.size, body.sha256]).toEqual([201, SIZE, sha256]);
    sent.push({ url: body.url, sha256 });
  });
  const down = await growth(async () => {
    const got = await fetchFile(`${url}${sent[0]?.url}`, admin);
    expect(got).toMatchObject({ status: 200, size: SIZE, sha256: sent[0]?.sha256 });
  });
  if (process.env.FIGURES) console.error(`up ${up.toFixed(1)} MB, down ${down.toFixed(1)} MB`);
  expect([up < MOST_MB, down < MOST_MB, up, down]).toEqual([true, true, up, down]);
}, 60_000);

const inFolder = (): string[] =>
  readdirSync(path.join(world.config.DATA_DIR, 'files'), { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => path.join(one.parentPath, one.name));

test('killed while a file arrives, it leaves a temporary that nobody meets, and the sweep takes it', async () => {
  const before = { listed: (await listed()).length, files: inFolder() };
  let sent = 0;
  const dying = upload(
    lines(30_000_000, async () => {
      if (sent++ === 200) desk.child.kill('SIGKILL');
      if (sent > 150) await pause(2);
    }),
  );
  await expect(dying).rejects.toThrow();
  await desk.ended;
  const left = inFolder().filter((one) => !before.files.includes(one));
  expect(left.map((one) => path.basename(path.dirname(one)))).toEqual(['tmp']);
  expect((await listed()).length).toBe(before.listed);

  const system = systemCtx({ log: openLog('silent') }, FIRST_COMPANY);
  const attachments = mongoose.connection.collection('attachments');
  await sweepFiles(system);
  expect(inFolder()).toEqual(expect.arrayContaining(left));
  const longAgo = new Date(Date.now() - 2 * 86_400_000);
  for (const file of left) utimesSync(file, longAgo, longAgo);
  expect(
    (await attachments.updateMany({ state: 'loose' }, { $set: { createdAt: longAgo } })).modifiedCount,
  ).toBe(1);
  await sweepFiles(system);
  expect(inFolder().sort()).toEqual(before.files.sort());
  expect(await attachments.countDocuments({ state: 'loose' })).toBe(0);

  await start();
  expect((await upload(lines(1_000_000))).status).toBe(201);
}, 60_000);
