// Files on tickets, over the wire: streamed in, checked as they pass, served only as downloads.
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openWorld, type World } from '../support/world.ts';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
let world: World;
let admin: string;
let ticket: string;

beforeAll(async () => {
  world = await openWorld({ env: { UPLOAD_MAX_FILE_SIZE: '2000000' } });
  admin = await world.admin();
  ticket = (await world.call('POST', '/api/v1/tickets', { as: admin, body: { title: 'With files' } })).body
    .id;
});
afterAll(() => world.close());

async function send(
  at: string,
  files: [field: string, name: string, bytes: Buffer | string][],
  fields: Record<string, string> = {},
  headers: Record<string, string> = {},
) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const [field, name, bytes] of files)
    form.append(field, new Blob([new Uint8Array(Buffer.from(bytes))]), name);
  const answer = await fetch(`${world.url}${at}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin}`, connection: 'close', ...headers },
    body: form,
  });
  return {
    status: answer.status,
    headers: answer.headers,
    body: JSON.parse((await answer.text()) || 'null'),
  };
}
const upload = (name: string, bytes: Buffer | string, fields = {}) =>
  send(`/api/v1/tickets/${ticket}/attachments`, [['file', name, bytes]], fields);
const get = (at: string, headers: Record<string, string> = {}) =>
  fetch(`${world.url}${at}`, {
    headers: { authorization: `Bearer ${admin}`, connection: 'close', ...headers },
  });
const keptFiles = () =>
  readdirSync(path.join(world.config.DATA_DIR, 'files'), { recursive: true, withFileTypes: true }).filter(
    (one) => one.isFile(),
  ).length;

describe('an attachment', () => {
  test('comes back as it was sent, as a download that a browser does not open', async () => {
    const sent = await upload('screen shot ü.png', PNG, { description: 'the error' });
    expect(sent.status).toBe(201);
    expect(sent.body).toMatchObject({
      name: 'screen shot ü.png',
      size: PNG.length,
      type: 'image/png',
      description: 'the error',
      is_internal: false,
    });
    const answer = await get(sent.body.url);
    expect(Buffer.from(await answer.arrayBuffer()).equals(PNG)).toBe(true);
    expect(answer.headers.get('content-disposition')).toMatch(
      /^attachment; filename=".*"; filename\*=UTF-8''screen%20shot%20%C3%BC\.png$/,
    );
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    const part = await get(sent.body.url, { range: 'bytes=1-3' });
    expect([part.status, await part.text(), part.headers.get('content-range')]).toEqual([
      206,
      'PNG',
      `bytes 1-3/${PNG.length}`,
    ]);
    const beyond = await get(sent.body.url, { range: 'bytes=999999-' });
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([
      416,
      expect.stringMatching(/^bytes \*\/\d+$/),
    ]);
    expect(await beyond.json()).toMatchObject({ status: 416, error_code: 'E_ATTACHMENT_RANGE' });
  });

  test('stands in the history of its ticket', async () => {
    const history = await world.call('GET', `/api/v1/tickets/${ticket}/history?action=attachment_added`, {
      as: admin,
    });
    expect(history.body.items).toHaveLength(1);
  });

  test.each([
    ['run.exe', 'MZ', 415],
    ['picture.png', '<svg onload=alert(1)>', 415],
    ['notes.txt', PNG, 415],
    ['notes.txt', '', 400],
    ['big.log', 'x'.repeat(2_000_001), 413],
    ['noending', 'text', 415],
  ])('%s is refused when it is not what we take', async (name, bytes, status) => {
    const before = keptFiles();
    const sent = await upload(name, bytes);
    expect(sent.status).toBe(status);
    expect(sent.body.error_code).toMatch(/^E_/);
    expect(keptFiles()).toBe(before);
  });

  test('loses the path that a name pretends to have', async () => {
    const sent = await upload('..\\..\\etc/passwd.txt', 'hello');
    expect(sent.body.name).toBe('passwd.txt');
  });

  test('is removed by who uploaded it', async () => {
    const sent = await upload('away.txt', 'soon gone');
    expect((await world.call('DELETE', sent.body.url, { as: admin })).status).toBe(204);
    expect((await get(sent.body.url)).status).toBe(404);
  });
});

describe('a form', () => {
  test('files a ticket together with its files, once per key', async () => {
    const files: [string, string, string][] = [
      ['attachments', 'a.log', 'line'],
      ['attachments', 'b.csv', 'a,b'],
    ];
    const key = { 'idempotency-key': 'form-1' };
    const first = await send(
      '/api/v1/tickets',
      files,
      { title: 'From a form', tags: 'one, two', estimated_hours: '2.5' },
      key,
    );
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({ title: 'From a form', tags: ['one', 'two'], estimated_hours: 2.5 });
    const again = await send(
      '/api/v1/tickets',
      files,
      { title: 'From a form', tags: 'one, two', estimated_hours: '2.5' },
      key,
    );
    expect(again.body).toMatchObject({ title: 'From a form' });
    expect([again.body.id, again.headers.get('idempotency-replayed')]).toEqual([first.body.id, 'true']);
    const listed = await world.call('GET', `/api/v1/tickets/${first.body.id}/attachments`, { as: admin });
    expect(listed.body.items.map((one: { name: string }) => one.name)).toEqual(['a.log', 'b.csv']);
    const other = await send(
      '/api/v1/tickets',
      [['attachments', 'a.log', 'other']],
      { title: 'From a form' },
      key,
    );
    expect(other.status).toBe(422);
  });

  test('that is wrong leaves no bytes behind', async () => {
    const before = keptFiles();
    const sent = await send('/api/v1/tickets', [['attachments', 'a.log', 'line']], {
      title: '',
      nonsense: '1',
    });
    expect(sent.status).toBe(400);
    expect(keptFiles()).toBe(before);
  });

  test('whose form says only after the file that it is internal is internal', async () => {
    const form = new FormData();
    form.append('file', new Blob(['for us']), 'after.txt');
    form.append('is_internal', 'True');
    const sent = await fetch(`${world.url}/api/v1/tickets/${ticket}/attachments`, {
      method: 'POST',
      headers: { authorization: `Bearer ${admin}`, connection: 'close' },
      body: form,
    });
    expect((await sent.json()) as object).toMatchObject({ is_internal: true });
  });

  test('put on a note by its uploader is internal from then on', async () => {
    const { id } = (await upload('note.txt', 'for us')).body;
    const shown = (await upload('reply.txt', 'for all')).body.id;
    const say = (body: object) =>
      world.call('POST', `/api/v1/tickets/${ticket}/comments`, { as: admin, body });
    await say({ content: 'see there', attachment_ids: [shown] });
    await say({ content: 'look', is_internal: true, attachment_ids: [id, shown] });
    const listed = await world.call('GET', `/api/v1/tickets/${ticket}/attachments`, { as: admin });
    const inside = listed.body.items.filter((one: { is_internal: boolean }) => one.is_internal);
    expect(inside.map((one: { id: string }) => one.id)).toContain(id);
    expect(inside.map((one: { id: string }) => one.id)).not.toContain(shown);
  });

  test('sent again under its key is the same one, and other bytes under it are refused', async () => {
    const at = `/api/v1/tickets/${ticket}/attachments`;
    const key = { 'idempotency-key': 'the-same-file' };
    const first = await send(at, [['file', 'k.txt', 'one']], {}, key);
    const again = await send(at, [['file', 'k.txt', 'one']], {}, key);
    expect(again.body.id).toBe(first.body.id);
    expect((await send(at, [['file', 'k.txt', 'two']], {}, key)).status).toBe(422);
  });

  test('of a form that is refused is not there', async () => {
    const count = async () =>
      (await world.call('GET', `/api/v1/tickets/${ticket}/attachments`, { as: admin })).body.total;
    const before = await count();
    const form = new FormData();
    form.append('file', new Blob(['x']), 'x.txt');
    form.append('nonsense', '1');
    const headers = { authorization: `Bearer ${admin}`, connection: 'close' };
    const at = `${world.url}/api/v1/tickets/${ticket}/attachments`;
    expect((await fetch(at, { method: 'POST', headers, body: form })).status).toBe(400);
    expect(await count()).toBe(before);
  });

  test('with two files in place of one is refused', async () => {
    const sent = await send(`/api/v1/tickets/${ticket}/attachments`, [
      ['file', 'a.txt', 'a'],
      ['file', 'b.txt', 'b'],
    ]);
    expect(sent.status).toBe(400);
  });

  test.each([
    ['breaks off', '--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf', 5_000],
    [
      'has no last boundary',
      '--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf',
      0,
    ],
    ['has a field without a name', '--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n', 0],
  ])('that %s is refused and leaves nothing', async (_what, body, missing) => {
    const before = keptFiles();
    const { port, hostname } = new URL(world.url);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(Number(port), hostname);
      let text = '';
      socket.on('data', (part) => {
        text += part;
        socket.end();
      });
      socket.on('close', () => resolve(text));
      socket.write(
        `POST /api/v1/tickets/${ticket}/attachments HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${admin}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${body.length + missing}\r\n\r\n${body}`,
      );
      if (missing) setTimeout(() => socket.destroy(), 200);
    });
    if (!missing) expect(answer).toMatch(/^HTTP\/1.1 400/);
    for (let tries = 0; keptFiles() !== before && tries < 100; tries++) await world.call('GET', '/health');
    expect(keptFiles()).toBe(before);
  });
});

describe('a reserved upload', () => {
  const reserve = (size: number) =>
    world.call('POST', '/api/v1/attachments/presigned-url', {
      as: admin,
      body: { filename: 'report.txt', content_type: 'text/plain', size, ticket_id: ticket },
    });
  const put = (url: string, body: string) =>
    fetch(world.url + new URL(url).pathname + new URL(url).search, {
      method: 'PUT',
      body,
      headers: { 'content-type': 'text/plain', connection: 'close' },
    });

  test('takes the bytes at its address and attaches them when confirmed', async () => {
    const { body } = await reserve(11);
    expect((await put(body.upload_url, 'hello world')).status).toBe(204);
    const confirmed = await world.call('POST', '/api/v1/attachments', {
      as: admin,
      body: { attachment_id: body.attachment_id },
    });
    expect(confirmed.status).toBe(201);
    expect(await (await get(confirmed.body.url)).text()).toBe('hello world');
  });

  test('that came in part is not attached, and can be sent again', async () => {
    const { body } = await reserve(5);
    const confirm = () =>
      world.call('POST', '/api/v1/attachments', { as: admin, body: { attachment_id: body.attachment_id } });
    await put(body.upload_url, 'he');
    expect(await confirm()).toMatchObject({ status: 409, body: { error_code: 'E_ATTACHMENT_SIZE' } });
    await put(body.upload_url, 'hello');
    expect((await confirm()).body).toMatchObject({ size: 5 });
  });

  test('takes neither more than was said nor anything at a forged address', async () => {
    const { body } = await reserve(3);
    expect((await put(body.upload_url, 'too much')).status).toBe(413);
    expect((await put(body.upload_url.replace(/signature=./, 'signature=_'), 'abc')).status).toBe(403);
    const unready = await world.call('POST', '/api/v1/attachments', {
      as: admin,
      body: { attachment_id: body.attachment_id },
    });
    expect(unready.status).toBe(409);
  });
});
