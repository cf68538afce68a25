// Files in an S3-compatible store: Amazon's own client against a store that checks every signature.
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { sweepFiles } from '../../src/files/attachments.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { type FakeS3, openFakeS3 } from '../support/fake-s3.ts';
import { fetchFile, lines, sendFile } from '../support/uploads.ts';
import { closeAll, openWorld, type World } from '../support/world.ts';

const TEXT = 'the log of the night\n';
let s3: FakeS3;
let world: World;
let admin: string;
let ticket: string;

beforeAll(async () => {
  s3 = await openFakeS3();
  world = await openWorld({
    env: {
      ...{ S3_BUCKET: s3.bucket, S3_ENDPOINT: s3.url, S3_REGION: 'eu-central-1' },
      ...{
        S3_ACCESS_KEY_ID: s3.accessKeyId,
        S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
        S3_TIMEOUT_SECONDS: '1',
      },
    },
  });
  admin = await world.admin();
  ticket = (await world.call('POST', '/api/v1/tickets', { as: admin, body: { title: 'With files' } })).body
    .id;
});
afterAll(async () => {
  await closeAll(world, s3);
});
beforeEach(() => {
  s3.manner = null;
});

async function* once(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}
const upload = (name: string, bytes: AsyncIterable<Buffer>) =>
  sendFile(`${world.url}/api/v1/tickets/${ticket}/attachments`, admin, name, bytes);
const call = (method: string, path: string, body?: unknown) =>
  world.call(method, `/api/v1/${path}`, { as: admin, ...(body === undefined ? {} : { body }) });
const listed = async (): Promise<{ id: string; name: string }[]> =>
  (await call('GET', `tickets/${ticket}/attachments`)).body.items;
/** A call whose answer came too late is made again: what the first one began, and put nothing in, goes with the sweep. */
const begun = () => [...s3.uploads.values()].filter(({ parts }) => parts.size > 0).length;
const sha = (text: string) => createHash('sha256').update(text).digest('hex');

describe('a file', () => {
  test('goes there and comes back as it was, whole and in parts', async () => {
    const sent = await upload('night.log', once(TEXT));
    expect([sent.status, sent.body.sha256]).toEqual([201, sha(TEXT)]);
    expect([...s3.objects.keys()]).toEqual([`attachments/${sent.body.id.slice(-2)}/${sent.body.id}`]);
    const whole = await fetchFile(`${world.url}${sent.body.url}`, admin);
    expect(whole).toMatchObject({ status: 200, size: TEXT.length, sha256: sha(TEXT) });
    const part = await fetchFile(`${world.url}${sent.body.url}`, admin, { range: 'bytes=4-6' });
    expect(part).toMatchObject({ status: 206, size: 3, sha256: sha('log') });
    expect(part.headers.get('content-range')).toBe(`bytes 4-6/${TEXT.length}`);
  });

  test('that is large goes in parts, and is one afterwards', async () => {
    const sent = await upload('large.log', lines(12_000_000));
    expect([sent.status, sent.body.size, sent.body.sha256]).toEqual([201, 12_000_000, sent.sha256]);
    expect(s3.asked.filter((what) => what.endsWith('?multipart')).length).toBeGreaterThanOrEqual(5);
    expect(await fetchFile(`${world.url}${sent.body.url}`, admin)).toMatchObject({ sha256: sent.sha256 });
    expect(begun()).toBe(0);
  });

  test('is gone from there when it is removed', async () => {
    const { body } = await upload('gone.log', once(TEXT));
    const before = s3.objects.size;
    expect((await call('DELETE', `attachments/${body.id}`)).status).toBe(204);
    expect(s3.objects.size).toBe(before - 1);
    expect((await fetchFile(`${world.url}${body.url}`, admin)).status).toBe(404);
  });

  test('that is too large, or breaks off, leaves nothing behind, neither a part of it', async () => {
    const before = { objects: s3.objects.size, listed: (await listed()).length };
    const large = await upload('huge.log', lines(53_000_000));
    expect([large.status, large.body.error_code]).toEqual([413, 'E_ATTACHMENT_TOO_LARGE']);
    async function* broken(): AsyncGenerator<Buffer> {
      yield* lines(11_000_000);
      throw new Error('the line went dead');
    }
    await expect(upload('broken.log', broken())).rejects.toThrow();
    // Its row goes last; before it comes, there may be no part yet either.
    const loose = () => mongoose.connection.collection('attachments').countDocuments({ state: 'loose' });
    for (const until = Date.now() + 10_000; ((await loose()) || begun()) && Date.now() < until; )
      await pause(20);
    expect([begun(), s3.objects.size, (await listed()).length]).toEqual([0, before.objects, before.listed]);
    expect(await loose()).toBe(0);
  });
});

describe('an address signed beforehand', () => {
  const reserve = (size: number) =>
    call('POST', 'attachments/presigned-url', {
      ...{ filename: 'direct.txt', content_type: 'text/plain', size, ticket_id: ticket },
    });
  const put = (url: string, body: string, headers: Record<string, string>) =>
    fetch(url, { method: 'PUT', body, headers: { connection: 'close', ...headers } });

  test('takes the bytes past us, and the file is there once that is confirmed', async () => {
    const { status, body } = await reserve(TEXT.length);
    expect(status).toBe(201);
    expect(body.upload_url.startsWith(s3.url)).toBe(true);
    const early = await call('POST', 'attachments', { attachment_id: body.attachment_id });
    expect([early.status, early.body.error_code]).toEqual([409, 'E_ATTACHMENT_NOT_UPLOADED']);
    expect((await put(body.upload_url, TEXT, body.headers)).status).toBe(200);
    const confirmed = await call('POST', 'attachments', { attachment_id: body.attachment_id });
    expect([confirmed.status, confirmed.body.sha256, confirmed.body.size]).toEqual([
      201,
      sha(TEXT),
      TEXT.length,
    ]);
    expect(await fetchFile(`${world.url}${confirmed.body.url}`, admin)).toMatchObject({ sha256: sha(TEXT) });
  });

  test('is good for that file alone: its length, its type, its name, its time', async () => {
    const { body } = await reserve(TEXT.length);
    expect((await put(body.upload_url, `${TEXT}and more`, body.headers)).status).toBe(403);
    expect((await put(body.upload_url, TEXT, { 'content-type': 'text/html' })).status).toBe(403);
    const other = body.upload_url.replace(/[0-9a-f]{24}\?/, `${'a'.repeat(24)}?`);
    expect((await put(other, TEXT, body.headers)).status).toBe(403);
    const longer = body.upload_url.replace('X-Amz-Expires=900', 'X-Amz-Expires=90000');
    expect((await put(longer, TEXT, body.headers)).status).toBe(403);
    const real = Date.now;
    Date.now = () => real() + 901_000;
    try {
      expect((await put(body.upload_url, TEXT, body.headers)).status).toBe(403);
    } finally {
      Date.now = real;
    }
    expect((await call('POST', 'attachments', { attachment_id: body.attachment_id })).status).toBe(409);
  });
});

describe('a store that is in trouble', () => {
  test.each<[string, () => number | 'hang' | 'cut']>([
    ['fails', () => 500],
    ['asks for patience', () => 503],
    ['hangs', () => 'hang'],
    ['hangs up', () => 'cut'],
  ])(
    'which %s: the sender is told to come back, and nothing is lost',
    async (_, manner) => {
      const { body: there } = await upload('there.log', once(TEXT));
      const before = (await listed()).length;
      s3.manner = manner;
      const refused = await upload('late.log', once(TEXT));
      expect([refused.status, refused.body.error_code]).toEqual([503, 'E_FILES_AWAY']);
      const read = await world.call('GET', there.url, { as: admin });
      expect([read.status, read.headers.get('retry-after')]).toEqual([503, '5']);
      s3.manner = null;
      expect((await listed()).length).toBe(before);
      expect((await upload('late.log', once(TEXT))).status).toBe(201);
      expect(await fetchFile(`${world.url}${there.url}`, admin)).toMatchObject({
        status: 200,
        sha256: sha(TEXT),
      });
    },
    30_000,
  );

  test('once for a moment, is asked again without a word', async () => {
    let failed = 0;
    s3.manner = (what) => (what.startsWith('PUT') && failed++ < 1 ? 500 : null);
    expect((await upload('patient.log', once(TEXT))).status).toBe(201);
    expect(failed).toBeGreaterThan(1);
  });

  test('takes what a dead process left half uploaded, until the sweep aborts it after a day', async () => {
    const day = 86_400_000;
    s3.uploads.clear();
    s3.uploads.set('left', {
      key: 'attachments/ab/left',
      parts: new Map(),
      at: new Date(Date.now() - 2 * day),
    });
    s3.uploads.set('going', { key: 'attachments/ab/going', parts: new Map(), at: new Date() });
    s3.uploads.set('other', { key: 'not-ours/at-all', parts: new Map(), at: new Date(0) });
    await sweepFiles(systemCtx({ log: openLog('silent') }, FIRST_COMPANY));
    expect([...s3.uploads.keys()]).toEqual(['going', 'other']);
    s3.uploads.clear();
  });
});
