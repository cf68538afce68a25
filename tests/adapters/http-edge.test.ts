// What reaches the server before any route does: bodies that two readers would read differently, senders that never
// finish, headers without end.
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { inTime, steadily } from '../../adapters/http/bodies.ts';
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

  describe('who never finishes', () => {
    let server: Server;
    const whole: RequestHandler = (req, res) => void req.resume().once('end', () => res.json('whole'));
    const part: RequestHandler = async (req, res) => {
      for await (const _ of req);
      res.json('part by part');
    };
    const begun = async (guard: RequestHandler, read = whole): Promise<string> => {
      const app = express();
      app.post('/', guard, read);
      app.use(((_error, req, _res, _next) => req.socket.destroy()) satisfies ErrorRequestHandler);
      server = createServer(app);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    };
    const head = (length: number) =>
      `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`;

    test.each([
      ['a body that is read whole', inTime(200), whole],
      ['a body that is streamed', steadily(100), whole],
      ['a body that is read part by part', steadily(100), part],
    ])('%s, but trickles on, is let go', async (_what, guard, read) => {
      const at = await begun(guard, read);
      const heard = await said(at, head(100_000), (write) => setInterval(() => write('x'), 20));
      expect(heard).toMatch(/^HTTP\/1.1 408 /);
      server.close();
    });

    test('a stream that keeps coming may take its time', async () => {
      const at = await begun(steadily(100));
      let left = 20;
      const heard = await said(at, head(40_000), (write) =>
        setInterval(() => left-- > 0 && write('x'.repeat(2_000)), 20),
      ).then((text) => text);
      expect(heard).toMatch(/^HTTP\/1.1 200 /);
      server.close();
    });
  });
});
