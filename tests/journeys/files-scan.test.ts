// Files that a scanner looks at: served only after it called them clean, whoever answers late, wrongly or not at all.
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { sweepFiles } from '../../src/files/attachments.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { EICAR, type FakeClamd, openFakeClamd } from '../support/fake-clamd.ts';
import { fetchFile, lines, sendFile } from '../support/uploads.ts';
import { openWorld, type World } from '../support/world.ts';

let clamd: FakeClamd;
let world: World;
let admin: string;
let ticket: string;

beforeAll(async () => {
  clamd = await openFakeClamd();
  world = await openWorld({
    env: { CLAMD_HOST: '127.0.0.1', CLAMD_PORT: String(clamd.port), CLAMD_TIMEOUT_SECONDS: '1' },
  });
  admin = await world.admin();
});
afterAll(async () => {
  expect(clamd.complaints).toEqual([]);
  await world.close();
  await clamd.stop();
});
beforeEach(async () => {
  clamd.manner = 'scan';
  clamd.longest = 25 * 1024 * 1024;
  ticket = (await world.call('POST', '/api/v1/tickets', { as: admin, body: { title: 'With files' } })).body
    .id;
});

async function* text(words: string): AsyncGenerator<Buffer> {
  yield Buffer.from(words);
}
const upload = (bytes: AsyncIterable<Buffer>) =>
  sendFile(`${world.url}/api/v1/tickets/${ticket}/attachments`, admin, 'a.log', bytes);
const call = (method: string, path: string, body?: unknown) =>
  world.call(method, `/api/v1/${path}`, { as: admin, ...(body ? { body } : {}) });
const sweep = () => sweepFiles(systemCtx({ log: openLog('silent') }, FIRST_COMPANY));
const happened = async (): Promise<{ action: string; facts: Record<string, unknown> }[]> =>
  (await call('GET', `tickets/${ticket}/history`)).body.items;
const scanOf = async (id: string): Promise<string | undefined> =>
  (await call('GET', `tickets/${ticket}/attachments`)).body.items.find((one: { id: string }) => one.id === id)
    ?.scan;

test('a clean file is served after it was scanned, every byte of it', async () => {
  const sent = await upload(lines(3_000_000));
  expect([sent.status, sent.body.scan]).toEqual([201, 'clean']);
  expect(clamd.scanned.at(-1)).toBe(3_000_000);
  expect(await fetchFile(`${world.url}${sent.body.url}`, admin)).toMatchObject({ sha256: sent.sha256 });
});

test('an infected one is refused, is not kept, and stands in the history', async () => {
  const sent = await upload(text(`see this: ${EICAR}`));
  expect([sent.status, sent.body.error_code]).toEqual([422, 'E_ATTACHMENT_INFECTED']);
  expect(sent.body.detail).toContain('Eicar-Test-Signature');
  expect((await call('GET', `tickets/${ticket}/attachments`)).body.items).toEqual([]);
  const entry = (await happened()).at(-1);
  expect(entry?.facts).toMatchObject({ refusedFile: 'a.log', finding: 'Eicar-Test-Signature' });
  const row = await mongoose.connection.collection('attachments').findOne({ ticket });
  expect(row).toMatchObject({ state: 'refused', finding: 'Eicar-Test-Signature' });
});

test('one that was uploaded past us is scanned when it is confirmed', async () => {
  const bytes = `direct ${EICAR}`;
  const place = { filename: 'b.txt', content_type: 'text/plain', size: bytes.length, ticket_id: ticket };
  const { body } = await call('POST', 'attachments/presigned-url', place);
  const at = `${world.url}${new URL(body.upload_url).pathname}${new URL(body.upload_url).search}`;
  const put = { method: 'PUT', body: bytes, headers: { ...body.headers, connection: 'close' } };
  expect((await fetch(at, put)).status).toBe(204);
  expect((await call('POST', 'attachments', { attachment_id: body.attachment_id })).status).toBe(422);
});

test.each<[string, () => Promise<unknown>]>([
  ['is away', () => clamd.stop()],
  ['hangs', async () => (clamd.manner = 'hang')],
  ['breaks off', async () => (clamd.manner = 'cut')],
  ['cannot say', async () => (clamd.manner = 'broken')],
])('while the scanner %s, a file is taken and not served; once it answers, it is', async (_, trouble) => {
  await trouble();
  const sent = await upload(text('nothing special'));
  expect([sent.status, sent.body.scan]).toEqual([201, 'pending']);
  const early = await world.call('GET', sent.body.url, { as: admin });
  expect([early.status, early.body.error_code]).toEqual([409, 'E_ATTACHMENT_NOT_SCANNED']);
  await sweep();
  expect(await scanOf(sent.body.id)).toBe('pending');
  await clamd.stop();
  await clamd.start();
  clamd.manner = 'scan';
  await sweep();
  expect(await scanOf(sent.body.id)).toBe('clean');
  expect((await fetchFile(`${world.url}${sent.body.url}`, admin)).status).toBe(200);
});

test('what turns out infected later was never served, is gone, and the ticket says so', async () => {
  await clamd.stop();
  const sent = await upload(text(EICAR));
  expect(sent.status).toBe(201);
  await clamd.start();
  await sweep();
  expect((await world.call('GET', sent.body.url, { as: admin })).status).toBe(404);
  expect((await call('GET', `tickets/${ticket}/attachments`)).body.items).toEqual([]);
  expect((await happened()).at(-1)).toMatchObject({
    action: 'attachment_removed',
    facts: { attachment: sent.body.id, finding: 'Eicar-Test-Signature' },
  });
});

test('a file too long for the scanner stays unserved, and holds up no other', async () => {
  clamd.longest = 1_000_000;
  const long = await upload(lines(4_000_000));
  expect([long.status, long.body.scan]).toEqual([201, 'pending']);
  await clamd.stop();
  const short = await upload(text('short'));
  await clamd.start();
  await sweep();
  expect([await scanOf(long.body.id), await scanOf(short.body.id)]).toEqual(['pending', 'clean']);
  expect((await world.call('GET', long.body.url, { as: admin })).status).toBe(409);
});
