// Lists and search, over the wire.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { hire, type Person } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let admin: string;
let mei: Person;
let max: Person;
let asker: Person;
const file = (body: Record<string, unknown>) => world.call('POST', '/api/v1/tickets', { as: admin, body });
const list = async (query: string) =>
  (await world.call('GET', `/api/v1/tickets${query}`, { as: admin })).body;
const titles = (page: { items: { title: string }[] }) => page.items.map((ticket) => ticket.title);

beforeAll(async () => {
  world = await openWorld();
  admin = await world.admin();
  [mei, max] = [await hire(world, 'Meilin', 'agent'), await hire(world, 'Maximo', 'agent')];
  asker = await hire(world, 'Asker', 'customer');
  await file({
    title: 'Printer jammed',
    description: 'the drum is worn',
    priority: 'P1',
    tags: ['Hardware'],
    due_date: '2020-01-01T00:00:00Z',
  });
  await file({
    title: 'Cannot sign in',
    description: 'after the drumming class',
    priority: 'low',
    category: 'Technical',
  });
  await file({
    title: 'Invoice wrong',
    priority: 'high',
    category: 'billing',
    external_ref: 'EXT-77',
    due_date: '2999-01-01T00:00:00Z',
  });
  await world.drain();
});
afterAll(() => world.close());

describe('a list of tickets', () => {
  test('begins with the newest and counts them all', async () => {
    const page = await list('?page_size=2');
    expect(titles(page)).toEqual(['Invoice wrong', 'Cannot sign in']);
    expect(page).toMatchObject({ total: 3, page: 1, page_size: 2 });
    const next = await list(`?page_size=2&cursor=${page.next_cursor}`);
    expect(titles(next)).toEqual(['Printer jammed']);
    expect(next.next_cursor).toBeNull();
  });

  test('finds an environment as people write it', async () => {
    await file({ title: 'Staged', environment: 'Pre Prod' });
    for (const word of ['Pre%20Prod', 'pre-prod', 'PRE_PROD'])
      expect(titles(await list(`?environment=${word}`))).toEqual(['Staged']);
    await world.call('DELETE', `/api/v1/tickets/${(await list('?environment=pre_prod')).items[0].id}`, {
      as: admin,
    });
  });

  test('counts a ticket that was filed a moment ago', async () => {
    await list('?page_size=1');
    await file({ title: 'One more', category: 'general', tags: ['extra'] });
    expect((await list('?page_size=1')).total).toBe(4);
  });

  test('is narrowed to a person by id or address, and an address that nobody has is nobody', async () => {
    await file({ title: 'Hers', requester: 'nora@example.com', assignee_id: 'me' });
    expect(titles(await list('?requester=Nora@example.com'))).toEqual(['Hers']);
    expect(titles(await list('?assignee=admin@company.com'))).toEqual(['Hers']);
    expect(titles(await list('?assignee=admin@company.com&requester=else@example.com'))).toEqual([]);
    expect(titles(await list('?requester=nobody@example.com'))).toEqual([]);
    expect(titles(await list('?assignee=none'))).toEqual(titles(await list('?unassigned=true')));
    expect((await list('?assignee=none&assignee=me')).total).toBe((await list('')).total);
    expect((await list('?team=none')).total).toBe((await list('')).total);
    expect((await list('?channel=fax')).details).toMatchObject([{ path: 'channel' }]);
  });

  test.each([
    ['?status=NEW&tag=hardware', ['Printer jammed']],
    ['?priority=p1&priority=LOW', ['Cannot sign in', 'Printer jammed']],
    ['?category=billing', ['Invoice wrong']],
    ['?external_ref=EXT-77', ['Invoice wrong']],
    ['?overdue=true', ['Printer jammed']],
    ['?sort_by=priority&category=technical&category=billing', ['Invoice wrong', 'Cannot sign in']],
    ['?sort_by=due_at&order=asc&priority=high&priority=critical', ['Printer jammed', 'Invoice wrong']],
    ['?created_after=2999-01-01', []],
  ])('%s', async (query, expected) => {
    expect(titles(await list(query))).toEqual(expected);
  });

  test.each([
    '?status[$ne]=x',
    '?sort_by=password',
    '?page=0',
    '?cursor=abc',
    '?status=dancing',
    '?nonsense=1',
  ])('%s is refused', async (query) => {
    const answer = await world.call('GET', `/api/v1/tickets${query}`, { as: admin });
    expect(answer.status).toBe(400);
    expect(answer.body.details[0].path).toBeTruthy();
  });
});

describe('a search', () => {
  test.each([
    ['drum', ['Printer jammed', 'Cannot sign in']],
    ['the worn dru', ['Printer jammed']],
    ['EXT-77', ['Invoice wrong']],
    ['tkt-2', ['Cannot sign in']],
    ['administrator print', ['Printer jammed']],
    ['(a+)+$', []],
    ['nothing of that kind', []],
  ])('for "%s" finds %j', async (q, expected) => {
    expect(titles(await list(`?q=${encodeURIComponent(q)}`)).sort()).toEqual([...expected].sort());
  });

  test('finds what is written another way: composed, in capitals, with letters that somebody lacks', async () => {
    const { body } = await file({ title: 'Łódź', tags: ['Caf\u00e9', 'Cafe\u0301', 'CAF\u00c9', 'Straße'] });
    expect(body.tags).toEqual(['caf\u00e9', 'straße']);
    await world.drain();
    for (const q of ['tag=cafe%CC%81', 'q=lodz', 'q=strasse', 'q=STRASS', 'q=straße'])
      expect([q, titles(await list(`?${q}`))]).toEqual([q, ['Łódź']]);
    await world.call('DELETE', `/api/v1/tickets/${body.id}`, { as: admin });
  });

  test('finds what was written a moment ago, before the relay has seen it', async () => {
    await file({ title: 'Zeppelin sighted' });
    expect(titles(await list('?q=zeppelin'))).toEqual(['Zeppelin sighted']);
  });

  test('that finds more than are ranked is followed by cursor, or by page, to the last of them', async () => {
    const filed = await Promise.all(
      Array.from({ length: 130 }, async (_, at) => {
        const title = at === 3 ? 'Turbine' : `Report ${at}`;
        return (await file({ title, description: 'of the turbine' })).body.id as string;
      }),
    );
    await world.drain();
    const follow = async (query: string) => {
      const met: string[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page = await list(`?q=turbine&page_size=30${query}${cursor ? `&cursor=${cursor}` : ''}`);
        expect(page.total).toBeGreaterThanOrEqual(130);
        met.push(...page.items.map((ticket: { id: string }) => ticket.id));
        cursor = page.next_cursor;
        if (met.length === 30) await file({ title: 'A later turbine' }).then(() => world.drain());
      }
      return met;
    };
    for (const query of ['', '&sort_by=updated_at']) {
      const met = (await follow(query)).filter((id) => filed.includes(id));
      expect([met.length, new Set(met).size]).toEqual([130, 130]);
    }
    const numbered: string[] = [];
    for (let page = 1; page <= 5; page++)
      numbered.push(
        ...(await list(`?q=turbine&page_size=30&page=${page}`)).items.map(
          (ticket: { id: string }) => ticket.id,
        ),
      );
    expect(new Set(numbered).size).toBe(132);
  });

  test('puts the ticket whose title says it before the one that mentions it', async () => {
    await file({ title: 'Coffee machine', description: 'leaks' });
    await file({ title: 'Kitchen', description: 'the coffee is cold' });
    await world.drain();
    expect(titles(await list('?q=coffee'))[0]).toBe('Coffee machine');
  });
});

test('a ticket is shown others that speak of the same', async () => {
  await file({ title: 'Badge reader rejects every card', description: 'at the north gate' });
  const second = (await file({ title: 'The badge reader rejects my card' })).body;
  await world.drain();
  const { body } = await world.call('GET', `/api/v1/tickets/${second.id}/similar`, { as: admin });
  expect(body.items.map((one: { ticket: { title: string } }) => one.ticket.title)).toEqual([
    'Badge reader rejects every card',
  ]);
});

describe('who works on a ticket', () => {
  const found = async (who: Person, q: string) =>
    titles((await who.call('GET', `tickets?q=${encodeURIComponent(q)}`)).body).sort();
  let lamp: string;

  beforeAll(async () => {
    lamp = (await asker.call('POST', 'tickets', { title: 'Lamp is dim' })).body.id;
    await asker.call('POST', 'tickets', { title: 'Lamp is off' });
    await mei.call('POST', `tickets/${lamp}/claim`);
  });

  test.each(['meilin', 'MEI', 'lamp meilin', 'meilin@company.example'])(
    'is found by %s, at once and for good, and not by customers',
    async (q) => {
      expect(await found(max, q)).toEqual(['Lamp is dim']);
      await world.drain();
      expect(await found(max, q)).toEqual(['Lamp is dim']);
      expect(await found(max, `${q} maximo`)).toEqual([]);
      expect(await found(asker, q)).toEqual([]);
    },
  );

  test('is who works on it now, by their present name', async () => {
    await world.call('PUT', `/api/v1/tickets/${lamp}/assign`, { as: admin, body: { assignee_id: max.id } });
    await mei.call('POST', `tickets/${lamp}/comments`, { content: 'Yours', is_internal: true });
    for (const when of ['at once', 'for good']) {
      expect([when, await found(mei, 'maximo'), await found(mei, 'meilin')]).toEqual([
        when,
        ['Lamp is dim'],
        [],
      ]);
      await world.drain();
    }
  });
});

describe('the order of numbers', () => {
  test('is that of numbers, also beyond 999,999', async () => {
    const { body: desk } = await world.call('POST', '/api/v1/desks', {
      as: admin,
      body: { key: 'BIG', name: 'Many tickets', preset: 'support' },
    });
    const client = await mongoose.mongo.MongoClient.connect(world.config.MONGODB_URI);
    const counters = client.db(world.database).collection<{ _id: string }>('counters');
    await counters.updateOne({ _id: desk.id }, { $set: { last: 999_997 } }, { upsert: true });
    await client.close();
    const keys: string[] = [];
    for (let nth = 0; nth < 4; nth++) keys.push((await file({ title: `Big ${nth}`, desk: 'BIG' })).body.key);
    expect(keys).toEqual(['BIG-999998', 'BIG-999999', 'BIG-1000000', 'BIG-1000001']);
    for (const order of ['asc', 'desc']) {
      const paged: string[] = [];
      const query = `?desk=BIG&sort_by=number&order=${order}&page_size=1`;
      for (let next = query; next; ) {
        const { items, next_cursor: cursor } = await list(next);
        paged.push(...items.map((one: { key: string }) => one.key));
        next = cursor ? `${query}&cursor=${cursor}` : '';
      }
      expect(paged).toEqual(order === 'asc' ? keys : keys.toReversed());
    }
  });
});

describe('what a customer sees', () => {
  test.each(['created_at', 'updated_at', 'priority', 'due_at', 'number'])(
    'is theirs and what they were invited to, in order by %s, page by page',
    async (sort) => {
      const [customer, agent] = [
        await hire(world, `Other_${sort}`, 'customer'),
        await hire(world, `Agent_${sort}`, 'agent'),
      ];
      const guest = await hire(world, `Guest_${sort}`, 'customer');
      const theirs: Record<string, unknown>[] = [];
      for (const [nth, by] of [guest, customer, guest, agent, guest].entries()) {
        const body = {
          ...{ title: `No ${nth}`, priority: ['low', 'high', 'critical'][nth % 3] },
          ...(nth % 2 ? {} : { due_date: `2030-01-0${1 + nth}T00:00:00Z` }),
        };
        const { id } = (await by.call('POST', 'tickets', body)).body;
        if (by !== guest) await agent.call('PUT', `tickets/${id}/watchers/${guest.id}`);
        theirs.push(id);
      }
      await agent.call('PUT', `tickets/${theirs[0]}/watchers/${guest.id}`);
      // What is met has no deadline any more.
      await agent.call('POST', `tickets/${theirs[1]}/resolve`, { resolution_notes: 'done' });
      for (const order of ['asc', 'desc']) {
        const query = `tickets?sort_by=${sort}&order=${order}`;
        const whole = (await guest.call('GET', query)).body;
        expect([whole.total, new Set(whole.items.map(({ id }: { id: string }) => id))]).toEqual([
          5,
          new Set(theirs),
        ]);
        const values = whole.items.map((one: Record<string, unknown>) => one[sort]);
        const shown: string[] = values.map((one: unknown) => String(one ?? ''));
        const risen = [...shown].sort();
        if (sort !== 'priority') expect(shown).toEqual(order === 'asc' ? risen : risen.reverse());
        if (sort === 'due_at') expect(shown).toContain('');
        const paged: unknown[] = [];
        for (let next = `${query}&page_size=2`; next; ) {
          const { items, total, next_cursor: cursor } = (await guest.call('GET', next)).body;
          expect(total).toBe(5);
          paged.push(...items.map(({ id }: { id: string }) => id));
          next = cursor ? `${query}&page_size=2&cursor=${cursor}` : '';
        }
        expect(paged).toEqual(whole.items.map(({ id }: { id: string }) => id));
        const second = (await guest.call('GET', `${query}&page_size=2&page=2`)).body.items;
        expect(second.map(({ id }: { id: string }) => id)).toEqual(paged.slice(2, 4));
      }
      expect((await guest.call('GET', `tickets?requester=${customer.id}`)).body.total).toBe(1);
      expect((await guest.call('GET', 'tickets/statistics')).body.total_tickets).toBe(5);
    },
  );
});
