// A desk with a team of its own, whose tickets are given out: for the tests of routing.
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { file } from '../../src/history/history.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { nextBatch } from '../../src/routing/batch.ts';
import { readFacts } from '../../src/routing/facts.ts';
import { giveOut, openRouter } from '../../src/routing/router.ts';
import { ruleInput } from '../../src/routing/rule.ts';
import { setRouting } from '../../src/routing/rules.ts';
import { signal } from '../../src/signals.ts';
import { entriesOf, load } from '../../src/tickets/find.ts';
import type { StoredTicket, Ticket } from '../../src/tickets/ticket.ts';
import { create, createInput } from '../../src/tickets/tickets.ts';
import { strike, unfiled } from '../../src/tickets/unfiled.ts';
import { formTeam, hire, openDeskOf, type Person } from './staff.ts';
import type { World } from './world.ts';

export const log = openLog('silent');
export const ctx = systemCtx({ log }, FIRST_COMPANY);
let count = 0;

export interface Crew {
  desk: string;
  team: string;
  people: Person[];
}
const crews: Crew[] = [];
/** A desk of its own, with a team of its own: what is waiting elsewhere is no concern of it. */
export async function formCrew(
  world: World,
  names: string[],
  rule: Record<string, unknown> = {},
): Promise<Crew> {
  count += 1;
  const team = await formTeam(`Team ${count}`);
  const desk = (await openDeskOf(`D${count}`, 'support')).id;
  const people: Person[] = [];
  for (const name of names) people.push(await hire(world, `${name}${count}`, 'agent', { teams: [team] }));
  const one = { desk, team, people };
  crews.push(one);
  await setRouting(ctx, desk, ruleInput.parse({ strategy: 'round_robin', teamId: team, ...rule }));
  return one;
}
/** Nothing of it waits any more. */
export async function disband(): Promise<void> {
  for (const { desk } of crews.splice(0))
    await mongoose.connection.collection('tickets').deleteMany({ desk: desk as never });
  await mongoose.connection.collection('routing_rules').deleteMany({});
}

export const filed = ({ desk }: Crew, more: Record<string, unknown> = {}, at?: Date): Promise<Ticket> =>
  create(at ? { ...ctx, now: () => at } : ctx, createInput.parse({ title: 'It smokes', desk, ...more }));
export const many = async (crew: Crew, number: number): Promise<Ticket[]> => {
  const made: Ticket[] = [];
  for (let from = 0; from < number; from += 20)
    made.push(...(await Promise.all(Array.from({ length: Math.min(20, number - from) }, () => filed(crew)))));
  return made;
};
/** What the relay does, without what follows from it. */
export const relayed = async (): Promise<StoredTicket[]> => {
  const tickets = await unfiled(1_000);
  await file(tickets.flatMap(({ pending }) => pending));
  await strike(tickets);
  return tickets;
};
export const route = async (): Promise<number> => {
  await relayed();
  const router = openRouter(log);
  const given = await router.round();
  await router.stop();
  return given;
};
/** As after the relay has seen this ticket. */
export const follow = async (ticket: Ticket): Promise<void> => {
  const router = openRouter(log);
  await router.follow(await now(ticket), await story(ticket));
  for (const { _id, company } of await relayed()) signal('change', { company, ticket: _id, id: _id });
  await router.round();
  await router.stop();
};
export const now = (ticket: Ticket) => load(ctx, ticket._id);
export const story = async (ticket: Ticket) => entriesOf(await now(ticket));
export async function share({ desk, people }: Crew): Promise<Record<string, number>> {
  const rows = await mongoose.connection
    .collection('tickets')
    .aggregate([{ $match: { desk } }, { $group: { _id: '$assignee', n: { $sum: 1 } } }])
    .toArray();
  const name = (id: unknown) => people.find((one) => one.id === id)?.name.replace(/\d+$/, '') ?? 'nobody';
  return Object.fromEntries(rows.map(({ _id, n }) => [name(_id), n]));
}
export const presence = (who: Person, body: Record<string, unknown>) =>
  who.call('PUT', 'users/me/availability', body);

/** As another process would: without the courtesy of one at a time. */
export async function giveAll(): Promise<void> {
  await relayed();
  for (let idle = 0; idle < 3; ) {
    const given = await giveOut(
      FIRST_COMPANY,
      log,
      async (book, at) => (await nextBatch(await readFacts(book, at))).intents,
    );
    if (given === 0) idle += 1;
  }
}
