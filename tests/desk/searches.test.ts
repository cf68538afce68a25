// What a search costs among many tickets: what the rarest of its conditions does, whatever else is asked for with it, and
// in whichever order. Counted in keys and documents that the store looks at, as it explains itself.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { BY_WORDS } from '../../src/tickets/model.ts';
import { walk } from '../../src/tickets/walking.ts';
import { listenToStore } from '../support/plans.ts';
import { hire, type Person } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

const MANY = 3_000;
let world: World;
let agent: Person;
let customer: Person;

beforeAll(async () => {
  const uri = new URL(process.env.TEST_MONGODB_URI ?? '');
  uri.searchParams.set('monitorCommands', 'true');
  if (uri.pathname === '') uri.pathname = '/';
  world = await openWorld({ env: { MONGODB_URI: String(uri) } });
  agent = await hire(world, 'Mei', 'agent');
  customer = await hire(world, 'Nora', 'customer');
  const { body } = await customer.call('POST', 'tickets', { title: 'Month end' });
  await world.drain();
  const tickets = mongoose.connection.collection<{ _id: string }>('tickets');
  const model = await tickets.findOne({ _id: body.id });
  await tickets.insertMany(
    Array.from({ length: MANY }, (_, at) => ({
      ...model,
      _id: String(at).padStart(24, '0'),
      number: 1_000 + at,
      key: `TKT-${String(1_000 + at).padStart(6, '0')}`,
      requester: { kind: 'contact', id: `c${at % 500}`, name: 'C', email: null },
      status: at % 3 ? 'open' : 'new',
      // Three at each instant.
      createdAt: new Date(Date.UTC(2026, 0, 1) + Math.floor(at / 3) * 1_000),
      words: [
        'tkt',
        String(1_000 + at).padStart(6, '0'),
        'month',
        at % 2 ? 'north' : 'south',
        `c${at % 500}`,
      ],
    })),
    { ordered: false },
  );
}, 60_000);
afterAll(() => world.close());

type Stats = { executionStats: { totalKeysExamined: number; totalDocsExamined: number } };

/** The page, and how much the store looked at for it. */
async function search(by: Person, query: string) {
  const ear = listenToStore();
  const { body, status } = await by.call('GET', `tickets?page_size=50&${query}`);
  ear.close();
  expect(status).toBe(200);
  let examined = 0;
  for (const { what, command } of ear.heard()) {
    if (!what.endsWith(' tickets')) continue;
    const explain = { explain: command, verbosity: 'executionStats' };
    const explained = (await mongoose.connection.db?.command(explain)) as Stats | undefined;
    const met = explained?.executionStats ?? { totalKeysExamined: MANY, totalDocsExamined: MANY };
    examined += met.totalKeysExamined + met.totalDocsExamined;
  }
  return { found: body.items.map((one: { key: string }) => one.key), total: body.total, examined };
}

test.each([
  ['q=month 002000', 1],
  ['q=002000 month', 1],
  ['q=month tkt 002000', 1],
  ['q=month 0020', 50],
  ['q=00201 month', 0],
  ['q=month 00201', 10],
  ['q=month c77', 6],
  ['q=c77 m', 0],
  ['q=c77 mon', 6],
  ['q=month zeppelin', 0],
  ['q=zeppelin month', 0],
  ['q=north month c77&status=open', 4],
  ['q=north month c77&sort_by=updated_at', 6],
  ['q=north month c77&sort_by=created_at', 6],
])('a rare word is looked up first: %s', async (query, found) => {
  const page = await search(agent, query);
  expect(page.found).toHaveLength(found);
  expect(page.examined).toBeLessThan(MANY / 2);
});

test('a customer’s own few tickets are looked at, not all that have a word', async () => {
  const page = await search(customer, 'q=month');
  expect(page.found).toHaveLength(1);
  expect(page.examined).toBeLessThan(MANY / 2);
});

test('a status that no ticket has ends the search of a word in every ticket', async () => {
  const page = await search(agent, 'q=month&status=closed');
  expect(page.found).toHaveLength(0);
  expect(page.examined).toBeLessThan(MANY / 2);
});

test('words that are in very many tickets and never meet are looked for piece by piece, to the last one', async () => {
  const company = FIRST_COMPANY;
  const way = (some: string, others: string) => ({
    filter: { company, words: { $in: [some] }, $and: [{ words: { $in: [others] } }] },
    hint: BY_WORDS,
    lead: { company, words: { $in: [some] } },
  });
  const hasty = { first: 100, longest: 100, ms: 0 };
  const follow = async (some: string, others: string) => {
    const met: string[] = [];
    let pages = 0;
    for (let from: { value: Date; id: string } | null | undefined; from !== null; pages++) {
      const { rows, end } = await walk(
        way(some, others),
        { from: from ?? null, many: 20, projection: { words: 0 } as never },
        hasty,
      );
      met.push(...rows.map(({ _id }) => _id));
      from = end;
    }
    return { met, pages };
  };
  const apart = await follow('north', 'south');
  expect(apart.met).toEqual([]);
  expect(apart.pages).toBeGreaterThan(10);
  const { met } = await follow('month', 'c77');
  expect([met.length, new Set(met).size]).toEqual([6, 6]);
  const all = await follow('north', 'month');
  expect([all.met.length, new Set(all.met).size]).toEqual([MANY / 2, MANY / 2]);
});
