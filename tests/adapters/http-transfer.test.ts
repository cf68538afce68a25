// Tickets in bulk: out as CSV or NDJSON, in again, with a line for each that was refused.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { check } from '../support/checker.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let admin: string;

beforeAll(async () => {
  world = await openWorld();
  admin = await world.admin();
});
afterAll(() => world.close());

async function bring(body: string, type = 'application/x-ndjson', more: Record<string, string> = {}) {
  const answer = await fetch(`${world.url}/api/v1/tickets/import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin}`, 'content-type': type, connection: 'close', ...more },
    body,
  });
  const text = await answer.text();
  return {
    status: answer.status,
    lines:
      answer.status === 200
        ? text
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line))
        : text,
  };
}
const take = async (query: string) =>
  (
    await fetch(`${world.url}/api/v1/tickets/export${query}`, {
      headers: { authorization: `Bearer ${admin}`, connection: 'close' },
    })
  ).text();

test('a file comes in line by line; what is refused is told with its line and reason', async () => {
  const file = [
    {
      title: 'Old one',
      external_ref: 'Z-1',
      status: 'closed',
      created_at: '2020-01-02T03:04:05.000Z',
      closed_at: '2020-01-03T00:00:00.000Z',
      requester_email: 'bob@example.com',
      comments: [
        { content: 'hello', author: 'Bob' },
        { content: 'secret', is_internal: true },
      ],
    },
    { title: '' },
    { title: 'Odd status', status: 'dancing' },
    { title: 'Injected', requester: { $gt: '' } },
    { title: 'Mistyped', priorty: 'P1' },
  ];
  const { lines } = await bring([...file.map((line) => JSON.stringify(line)), 'not json', ''].join('\n'));
  const refused = Object.fromEntries(
    (lines as { line?: number; error_code?: string }[])
      .filter((one) => one.line)
      .map((one) => [one.line, one.error_code]),
  );
  expect(refused).toEqual({
    2: 'E_VALIDATION',
    3: 'E_IMPORT_STATUS',
    4: 'E_REQUEST_KEY',
    5: 'E_VALIDATION',
    6: 'E_IMPORT_JSON',
  });
  expect((lines as unknown[]).at(-1)).toEqual({ done: true, imported: 1, already_there: 0, refused: 5 });
  expect(lines).toContainEqual(expect.objectContaining({ line: 5, detail: 'priorty: is not a known field' }));
  const list = await world.call('GET', '/api/v1/tickets?external_ref=Z-1', { as: admin });
  expect(list.body.items[0]).toMatchObject({
    title: 'Old one',
    status: 'closed',
    created_at: '2020-01-02T03:04:05.000Z',
    closed_at: '2020-01-03T00:00:00.000Z',
    channel: 'import',
  });
  const thread = await world.call('GET', `/api/v1/tickets/${list.body.items[0].id}/comments`, { as: admin });
  expect(
    thread.body.items.map((one: { content: string; is_internal: boolean }) => [one.content, one.is_internal]),
  ).toEqual([
    ['hello', false],
    ['secret', true],
  ]);
});

test('the same file again adds nothing', async () => {
  const line = JSON.stringify({ title: 'Once', external_ref: 'Z-2' });
  await bring(line);
  const { lines } = await bring(line);
  expect(lines).toEqual([{ done: true, imported: 0, already_there: 1, refused: 0 }]);
});

test('an export can be read by a spreadsheet without running anything, and comes back as it was', async () => {
  await world.call('POST', '/api/v1/tickets', {
    as: admin,
    body: {
      title: '=HYPERLINK("http://evil")',
      description: 'two\nlines, "quoted"',
      tags: ['a', 'b'],
      external_ref: '@SUM(1)',
    },
  });
  const csv = await take('?format=csv&tag=a');
  expect(csv).toContain(`"'=HYPERLINK(""http://evil"")"`);
  expect(csv).toContain(`'@SUM(1)`);
  const { lines } = await bring(csv.replace("'@SUM(1)", 'Z-3'), 'text/csv');
  expect(lines).toEqual([{ done: true, imported: 1, already_there: 0, refused: 0 }]);
  const back = await world.call('GET', '/api/v1/tickets?external_ref=Z-3', { as: admin });
  expect(back.body.items[0]).toMatchObject({
    title: '=HYPERLINK("http://evil")',
    description: 'two\nlines, "quoted"',
    tags: ['a', 'b'],
  });
  const rows = (await take('?tag=a'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows).toHaveLength(2);
});

test('a file as a European Excel writes it comes in, and refused rows are told as it numbers them', async () => {
  const file = [
    'Title;External Ref;Tags;Estimated_Hours;Description',
    'Größe, zu groß;EU-1;"a, b";1,5;"two',
    'lines; one row"',
    '',
    ';EU-2;;;',
    ';;;;',
    'Too short;EU-3',
    'Fine;EU-4;;2;"she said ""no""; twice";;',
  ].join('\r\n');
  const { lines } = await bring(`\ufeff${file}\r\n`, 'text/csv');
  expect(
    (lines as { line?: number; error_code?: string }[]).map((one) => [one.line, one.error_code]),
  ).toEqual([
    [4, 'E_VALIDATION'],
    [6, 'E_IMPORT_CELLS'],
    [undefined, undefined],
  ]);
  expect((lines as unknown[]).at(-1)).toEqual({ done: true, imported: 2, already_there: 0, refused: 2 });
  const found = async (ref: string) =>
    (await world.call('GET', `/api/v1/tickets?external_ref=${ref}`, { as: admin })).body.items[0];
  expect(await found('EU-1')).toMatchObject({
    title: 'Größe, zu groß',
    description: 'two\r\nlines; one row',
    tags: ['a', 'b'],
    estimated_hours: 1.5,
  });
  expect(await found('EU-4')).toMatchObject({ description: 'she said "no"; twice', estimated_hours: 2 });
});

test('the separator is said or seen, and letters are read as the sender says or not guessed at', async () => {
  const last = async (body: string | Buffer, type = 'text/csv') =>
    ((await bring(body as string, type)).lines as unknown[]).at(-1);
  const one = { done: true, imported: 1, already_there: 0, refused: 0 };
  expect(await last('sep=;\r\ntitle;external_ref\r\n"a,b,c,d";EU-5\r\n')).toEqual(one);
  expect(await last('title\texternal_ref\r\na;b\tEU-6')).toEqual(one);
  expect(await last('"title","external_ref"\n"a;b;c","EU-7"\n')).toEqual(one);
  const latin = Buffer.from('title;external_ref\nGröße;EU-8\n', 'latin1');
  expect((await bring(latin as never, 'text/csv')).lines).toMatchObject([
    { line: 2, error_code: 'E_IMPORT_TEXT' },
    { done: true, refused: 1 },
  ]);
  expect(await last(latin, 'text/csv; charset=windows-1252')).toEqual(one);
  const list = await world.call('GET', '/api/v1/tickets?external_ref=EU-8', { as: admin });
  expect(list.body.items[0].title).toBe('Größe');
  expect(await last('title;Title\na;b\n')).toMatchObject({
    done: false,
    detail: 'The CSV cannot be read: two columns are called "title".',
  });
});

test('whatever a cell begins with, it comes back as it was and is no formula', async () => {
  const odd = ['\n=1', '\r=1', '\t=1', "'=1", "''@a", '＝1', '-1', "'quoted'", ' =1'];
  for (const description of odd)
    await world.call('POST', '/api/v1/tickets', {
      as: admin,
      body: { title: 'Odd', description, tags: ['odd'] },
    });
  const csv = await take('?format=csv&tag=odd');
  expect(csv).not.toMatch(/,"?[=+\-@\t\r＝]|,"\n/);
  await bring(csv.replaceAll(',odd,', ',even,').replaceAll(/^TKT-\d+/gm, ''), 'text/csv');
  const back = await world.call('GET', '/api/v1/tickets?tag=even', { as: admin });
  const described = back.body.items.map((one: { description: string }) => one.description);
  expect(described.sort()).toEqual([...odd].sort());
});

test('a line without end costs no memory, one that says a name twice is refused, and the rest comes in', async () => {
  const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
  const part = Buffer.alloc(1_000_000, 'x');
  const answer = await fetch(`${world.url}/api/v1/tickets/import`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${admin}`,
      'content-type': 'application/x-ndjson',
      connection: 'close',
    },
    duplex: 'half',
    body: ReadableStream.from(
      (function* () {
        yield Buffer.from('{"title":"');
        for (let at = 0; at < 100; at++) yield part;
        yield Buffer.from('"}\n{"title":"a","title":"b"}\n{"title":"The last"}\n');
      })(),
    ),
  } as RequestInit);
  const lines = (await answer.text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const codes = lines.map((one) => one.error_code ?? one.imported);
  expect(codes.sort()).toEqual([1, 'E_IMPORT_LINE_TOO_LONG', 'E_REQUEST_NAME_TWICE']);
  const after = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
  expect(after - before).toBeLessThan(50_000_000);
});

test('a line that says again what was refused before it is taken, and one that was taken is not taken twice', async () => {
  const line = (more: object) =>
    JSON.stringify({ title: 'Again', external_ref: 'Z-9', tags: ['again'], ...more });
  const { lines } = await bring([line({ status: 'dancing' }), line({}), line({ title: 'Third' })].join('\n'));
  expect((lines as unknown[]).at(-1)).toEqual({ done: true, imported: 1, already_there: 1, refused: 1 });
  expect((await take('?tag=again')).trim().split('\n')).toHaveLength(1);
});

test('lines without a name of their own are new ones, whatever the request calls itself', async () => {
  for (const title of ['First file', 'Second file']) {
    const { lines } = await bring(JSON.stringify({ title, tags: ['nameless'] }), undefined, {
      'x-request-id': 'always-the-same',
    });
    expect(lines).toEqual([{ done: true, imported: 1, already_there: 0, refused: 0 }]);
  }
  expect((await take('?tag=nameless')).trim().split('\n')).toHaveLength(2);
});

test('two who send the same file at once file it once', async () => {
  const file = Array.from({ length: 500 }, (_, at) =>
    JSON.stringify({
      title: `Race ${at}`,
      external_ref: `R-${at}`,
      tags: ['race'],
      requester: `r${at % 9}@example.com`,
    }),
  ).join('\n');
  const both = await Promise.all([bring(file), bring(file)]);
  const sums = both.map(({ lines }) => (lines as { imported: number; already_there: number }[]).at(-1));
  expect(sums.reduce((sum, one) => sum + (one?.imported ?? 0), 0)).toBe(500);
  expect(sums.map((one) => (one?.imported ?? 0) + (one?.already_there ?? 0))).toEqual([500, 500]);
  expect((await take('?tag=race')).trim().split('\n')).toHaveLength(500);
  expect((await check(world.config.MONGODB_URI, world.database, { settled: false })).problems).toEqual([]);
  const contacts = await world.call('GET', '/api/v1/contacts?email=r3@example.com', { as: admin });
  expect(contacts.body.total).toBe(1);
});

test('who sends line by line is answered line by line', async () => {
  let send: (line: string | null) => void = () => {};
  const body = new ReadableStream<Uint8Array>({
    start: (to) => {
      send = (line) => (line === null ? to.close() : to.enqueue(new TextEncoder().encode(`${line}\n`)));
    },
  });
  send('nonsense');
  const answer = await fetch(`${world.url}/api/v1/tickets/import`, {
    ...{ method: 'POST', duplex: 'half', body },
    headers: {
      authorization: `Bearer ${admin}`,
      'content-type': 'application/x-ndjson',
      connection: 'close',
    },
  } as RequestInit);
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  const told = async () => JSON.parse((await reader?.read())?.value ?? 'null');
  expect(await told()).toMatchObject({ line: 1, error_code: 'E_IMPORT_JSON' });
  send(JSON.stringify({ title: 'Slowly', status: 'dancing' }));
  expect(await told()).toMatchObject({ line: 2, error_code: 'E_IMPORT_STATUS' });
  send(null);
  expect(await told()).toMatchObject({ done: true, refused: 2 });
});

test('what comes in leaves nothing to the relay, unless a rule of time waits for it', async () => {
  const pending = async (tag: string) => {
    const client = await mongoose.mongo.MongoClient.connect(world.config.MONGODB_URI);
    const db = client.db(world.database);
    const count = await db.collection('tickets').countDocuments({ tags: tag, pendingAt: { $exists: true } });
    const turns = await db.collection('automation_turns').countDocuments({});
    await client.close();
    return { count, turns };
  };
  await bring(JSON.stringify({ title: 'Quiet', tags: ['quiet'], comments: [{ content: 'hello' }] }));
  expect(await pending('quiet')).toEqual({ count: 0, turns: 0 });
  const rule = await world.call('POST', '/api/v1/workflows', {
    as: admin,
    body: {
      name: 'Remind',
      when: { idle_for: { minutes: 600 } },
      then: [{ do: 'add_tags', tags: ['idle'] }],
    },
  });
  expect(rule.body).toMatchObject({ name: 'Remind' });
  await bring(JSON.stringify({ title: 'Timed', tags: ['timed'] }));
  await world.drain();
  expect((await pending('timed')).count).toBe(0);
  expect((await pending('timed')).turns).toBeGreaterThan(0);
});

test('a thousand lines keep their order of numbers without a gap', async () => {
  const { lines } = await bring(
    Array.from({ length: 1_000 }, (_, at) => JSON.stringify({ title: `Bulk ${at}`, tags: ['bulk'] })).join(
      '\n',
    ),
  );
  expect((lines as unknown[]).at(-1)).toMatchObject({ done: true, imported: 1_000 });
  const rows = (await take('?tag=bulk'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .map(({ key, title }) => ({ number: Number(key.split('-')[1]), line: Number(title.split(' ')[1]) }))
    .sort((a, b) => a.number - b.number);
  expect(rows.map(({ line }) => line)).toEqual(rows.map((_, at) => at));
  const numbers = rows.map(({ number }) => number);
  expect(new Set(numbers).size).toBe(1_000);
  expect((numbers.at(-1) ?? 0) - (numbers[0] ?? 0)).toBe(999);
});

test('an import gives way to whoever is served meanwhile', async () => {
  const many = 400;
  const first = 'WAY-0';
  const file = Array.from({ length: many }, (_, at) =>
    JSON.stringify({ title: 'Many', external_ref: `WAY-${at}` }),
  );
  const numberOf = async (ref: string): Promise<number | undefined> =>
    (await world.call('GET', `/api/v1/tickets?external_ref=${ref}`, { as: admin })).body.items[0]?.number;
  await numberOf(first);
  const coming = bring(file.join('\n'));
  let begin: number | undefined;
  while (begin === undefined) begin = await numberOf(first);
  const { body } = await world.call('POST', '/api/v1/tickets', { as: admin, body: { title: 'In between' } });
  expect((await coming).lines).toEqual([{ done: true, imported: many, already_there: 0, refused: 0 }]);
  expect(body.number - begin).toBeLessThan(many / 2);
});
