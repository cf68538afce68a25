// What reaches the server before any route does: bodies that two readers would read differently, senders that never
// finish, headers without end.
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type HttpServer, startHttp } from '../../adapters/http/index.ts';
import { PATIENCE, type Patience } from '../../adapters/http/patience.ts';
import { openLog } from '../../src/log.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let admin: string;
beforeAll(async () => {
  world = await openWorld();
  admin = await world.admin();
});
afterAll(() => world.close());

const post = async (body: string | Uint8Array<ArrayBuffer>, type = 'application/json') => {
  const answer = await fetch(`${world.url}/api/v1/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin}`, 'content-type': type, connection: 'close' },
    body,
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};
const utf16 = (text: string) => new Uint8Array(Buffer.from(text, 'utf16le'));

/** All that comes back until the other side hangs up. */
const said = (to: string, text: string, then?: (write: (more: string) => void) => NodeJS.Timeout) =>
  new Promise<string>((resolve) => {
    const { port, hostname } = new URL(to);
    const socket = connect(Number(port), hostname);
    let heard = '';
    const more = then?.((part) => socket.writable && socket.write(part));
    socket.on('data', (part) => {
      heard += part;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(more);
      resolve(heard);
    });
    socket.write(text);
  });

describe('a body', () => {
  test.each([
    ['says a name twice', '{"title":"a","title":"b"}', 400],
    ['says a name twice, once in disguise', '{"title":"a","t\\u0069tle":"b"}', 400],
    ['says a name twice within', '{"title":"a","custom_fields":{"k":{"x":1,"x":2}}}', 400],
    ['says a name in two spellings', '{"title":"a","affected_service":"b","affectedService":"c"}', 400],
    ['is nested a thousand deep', '['.repeat(100_000), 400],
    ['has a date that is a word, a number, a list', '{"title":"a","due_date":true}', 400],
    ['has a day that there is not', '{"title":"a","due_date":"2026-02-30"}', 400],
    [
      'says the same names in several objects',
      '{"title":"x: {\\"title\\": \\"","tags":["title","title:"]}',
      201,
    ],
  ])('that %s is answered as it should be', async (_what, body, status) => {
    expect(await post(body)).toMatchObject({ status });
  });

  test('that is not UTF-8 is refused, whatever it says it is', async () => {
    expect((await post(new Uint8Array([0x22, 0xff, 0x22]))).status).toBe(400);
    expect((await post(utf16('{"title":"a"}'), 'application/json; charset=utf-16')).status).toBe(415);
    expect((await post('{"title":"a"}', 'application/json; charset=utf-7')).status).toBe(415);
    expect((await post('{"title":"a"}', 'application/json; charset=UTF-8')).status).toBe(201);
  });

  test('and a query may name what is enumerated in any letter case', async () => {
    expect(await post('{"title":"a","priority":"HIGH","environment":"Production"}')).toMatchObject({
      status: 201,
      body: { priority: 'high', environment: 'production' },
    });
    for (const query of [
      'status_kind=OPEN',
      'status_kind=open&status_kind=New',
      'sort_by=Created_At&order=DESC',
    ])
      expect((await world.call('GET', `/api/v1/tickets?${query}`, { as: admin })).status).toBe(200);
    expect((await world.call('GET', '/api/v1/tickets?status_kind=opened', { as: admin })).status).toBe(400);
  });
});

describe('a sender', () => {
  test('with too many headers is refused, not half heard', async () => {
    const headers = Array.from({ length: 1_000 }, (_, at) => `h${at}: v`).join('\r\n');
    const heard = await said(world.url, `GET /health HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`);
    expect(heard).toMatch(/^HTTP\/1.1 431 /);
  });

  test('who asks what is possible is told', async () => {
    const answer = await world.call('OPTIONS', '/api/v1/tickets');
    expect(answer.status).toBe(204);
    expect(answer.headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS');
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('the pages of the documentation bring all they need, without TLS as well', async () => {
    const page = await fetch(`${world.url}/docs/`);
    expect(page.headers.get('content-security-policy')).not.toContain('upgrade-insecure-requests');
    const parts = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, at]) => at ?? '');
    for (const part of parts) {
      const answer = await fetch(new URL(part, `${world.url}/docs/`));
      expect([part, answer.status, answer.url.startsWith(world.url)]).toEqual([part, 200, true]);
      await answer.arrayBuffer();
    }
    expect(parts.length).toBeGreaterThan(2);
  });

  describe('who never finishes', () => {
    const quick: Patience = {
      ...{ headersMs: 300, wholeMs: 400, steadyMs: 150, longestMs: 20_000, checkEveryMs: 50 },
    };
    let server: HttpServer;
    beforeAll(async () => {
      const log = openLog('silent');
      server = await startHttp({ config: world.config, log, checks: {}, patience: quick });
    });
    afterAll(() => server.stop(0));
    const head = (path: string, more: string[]) =>
      [`POST ${path} HTTP/1.1`, 'Host: x', ...more, '', ''].join('\r\n');
    const signedIn = () => `Authorization: Bearer ${admin}`;
    const ndjson = 'Content-Type: application/x-ndjson';
    const json = 'Content-Type: application/json';
    const length = 'Content-Length: 100000';
    const trickle = (write: (more: string) => void) => setInterval(() => write('1\r\nx\r\n'), 20);

    test('its headers is let go', async () => {
      const heard = await said(server.url, 'POST /api/v1/tickets HTTP/1.1\r\nHost: x\r\n', (write) =>
        setInterval(() => write('X-More: x\r\n'), 20),
      );
      expect(heard).toMatch(/^HTTP\/1.1 408 /);
    });

    test('a body is let go, whether it is read whole, streamed, or of no interest any more', async () => {
      const asked = await Promise.all(
        [
          ['/api/v1/tickets', signedIn(), json, length],
          ['/api/v1/tickets/import', signedIn(), ndjson, length],
          ['/api/v1/tickets/import', ndjson, length],
          ['/api/v1/tickets/import', ndjson, 'Transfer-Encoding: chunked'],
          ['/api/v1/nothing', json, length],
          ['/health', json, length],
          ['/docs/nothing', json, length],
        ].map(([path = '', ...more]) => said(server.url, head(path, more), trickle)),
      );
      expect(asked.map((heard) => Number(heard.split(' ')[1] ?? 0))).toEqual([
        408, 408, 401, 401, 404, 405, 404,
      ]);
    });

    const line = `${JSON.stringify({ title: 'Line by line', tags: ['drip'], description: 'x'.repeat(1_500) })}\n`;
    const drip = (to: string, times: number) => {
      let left = times;
      const sizes = `Content-Length: ${line.length * times}`;
      return said(
        to,
        head('/api/v1/tickets/import', [signedIn(), 'Connection: close', ndjson, sizes]),
        (write) => setInterval(() => left-- > 0 && write(line), 50),
      );
    };

    test('a stream that keeps coming may take its time', async () => {
      const heard = await drip(server.url, 20);
      expect(heard).toMatch(/^HTTP\/1.1 200 /);
      expect(heard).toContain('{"done":true,"imported":20,"already_there":0,"refused":0}');
    });

    test('and may do so for hours', async () => {
      expect(PATIENCE.longestMs).toBeGreaterThan(12 * 3_600_000);
      const patience = { ...quick, longestMs: 500 };
      const strict = await startHttp({ config: world.config, log: openLog('silent'), checks: {}, patience });
      expect(await drip(strict.url, 100)).not.toContain('"done":true');
      await strict.stop(0);
    });
  });
});

test('in a flood who finds no place is told when to come again, and who asks how we are is answered', async () => {
  const crowding = { atOnce: 1, least: 1, most: 1, longMs: 1, burstMs: 1 };
  const log = openLog('silent');
  const server = await startHttp({ config: world.config, log, checks: {}, crowding });
  const headers = { authorization: `Bearer ${admin}`, 'content-type': 'application/json' };
  const file = (id: string) =>
    fetch(`${server.url}/api/v1/tickets`, {
      method: 'POST',
      headers: { ...headers, 'x-request-id': id },
      body: JSON.stringify({ title: 'One of many' }),
    });
  const crowd = () => Promise.all(Array.from({ length: 100 }, (_, n) => file(`flood-${n}`)));
  const first = await crowd();
  const [later, health] = await Promise.all([crowd(), fetch(`${server.url}/health`)]);
  expect(health.status).toBe(200);
  const answers = [...first, ...later];
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 503]));
  for (const one of answers) {
    if (one.status === 201) continue;
    expect(Object.fromEntries(one.headers)).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      'retry-after': '1',
    });
    expect(await one.json()).toMatchObject({
      ...{ status: 503, error_code: 'E_SERVER_CROWDED', details: [] },
      request_id: one.headers.get('x-request-id'),
    });
  }
  await server.stop(0);
});
