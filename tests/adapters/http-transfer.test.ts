// Tickets in bulk: out as CSV or NDJSON, in again, with a line for each that was refused.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let admin: string;

beforeAll(async () => {
  world = await openWorld();
  admin = await world.admin();
});
afterAll(() => world.close());

async function bring(body: string, type = 'application/x-ndjson') {
  const answer = await fetch(`${world.url}/api/v1/tickets/import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${admin}`, 'content-type': type, connection: 'close' },
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
    5: 'E_IMPORT_JSON',
  });
  expect((lines as unknown[]).at(-1)).toEqual({ done: true, imported: 1, already_there: 0, refused: 4 });
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

test('a thousand lines keep their order of numbers without a gap', async () => {
  const { lines } = await bring(
    Array.from({ length: 1_000 }, (_, at) => JSON.stringify({ title: `Bulk ${at}`, tags: ['bulk'] })).join(
      '\n',
    ),
  );
  expect((lines as unknown[]).at(-1)).toMatchObject({ done: true, imported: 1_000 });
  const numbers = (await take('?tag=bulk'))
    .trim()
    .split('\n')
    .map((line) => Number(JSON.parse(line).key.split('-')[1]))
    .sort((a, b) => a - b);
  expect(new Set(numbers).size).toBe(1_000);
  expect((numbers.at(-1) ?? 0) - (numbers[0] ?? 0)).toBe(999);
});
