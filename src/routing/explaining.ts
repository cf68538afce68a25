// Who would get a ticket and why, and giving it out on a person's word.
import { z } from 'zod';
import { storeTime } from '../clock.ts';
import type { Ctx } from '../context.ts';
import { findDesk } from '../desks/desks.ts';
import { conflict, forbidden } from '../errors.ts';
import { may } from '../people/access.ts';
import { member } from '../people/members.ts';
import { entriesOf, find, load } from '../tickets/find.ts';
import type { StoredTicket, Ticket } from '../tickets/ticket.ts';
import { declinedSince } from '../tickets/waiting.ts';
import { DECLINED_MS, intentOf } from './batch.ts';
import { openBook } from './book.ts';
import { type Facts, readFacts, situationOf } from './facts.ts';
import { giveOut } from './router.ts';
import { type Choice, choose, limitOf } from './routing.ts';
import { type Rule, STRATEGIES, withoutRule } from './rule.ts';

const OUTCOMES = ['assign', 'team', 'wait', 'leave'] as const;
export const explanationShape = z
  .object({
    ticketId: z.string(),
    key: z.string(),
    deskId: z.string(),
    strategy: z.enum(STRATEGIES),
    outcome: z.enum(OUTCOMES).meta({
      description:
        'assign: a person gets it. team: a team does. wait: nobody can just now. leave: left alone.',
    }),
    userId: z.string().nullable(),
    userName: z.string().nullable(),
    teamId: z.string().nullable(),
    teamName: z.string().nullable(),
    why: z.string().meta({ description: 'As if nobody had it.' }),
    current: z
      .object({
        userId: z.string(),
        userName: z.string().nullable(),
        assignedAt: z.date().nullable(),
        why: z.string().nullable(),
      })
      .nullable()
      .meta({ description: 'Who has it now, and what was said when they got it; null: nobody.' }),
    candidates: z.array(
      z.object({
        userId: z.string(),
        userName: z.string(),
        able: z.boolean(),
        because: z.string().nullable(),
        openTickets: z.int(),
        capacity: z.int().nullable(),
      }),
    ),
  })
  .meta({ id: 'RoutingExplanation' });
export type Explanation = z.output<typeof explanationShape>;

async function decided(facts: Facts, stored: StoredTicket): Promise<{ rule: Rule; choice: Choice }> {
  const rule = facts.rules.get(stored.desk) ?? withoutRule(false);
  const since = new Date(facts.now.getTime() - DECLINED_MS);
  const declined = (await declinedSince([stored], since)).get(stored._id) ?? [];
  return { rule, choice: choose({ ...stored, declined }, situationOf(facts, stored.desk, rule)) };
}

const outcomeOf = ({ user, team, waits }: Choice, before: string | null) =>
  user ? 'assign' : waits ? 'wait' : team !== before ? 'team' : 'leave';

/** As if nobody had it: what its desk's rule would do with it now. */
export async function explainRouting(ctx: Ctx, ref: string): Promise<Explanation> {
  if (!may(ctx.actor, 'routing.read'))
    throw forbidden('ticket.routing', 'Only agents see how tickets are given out.');
  const stored = await load(ctx, ref);
  const facts = await readFacts(await openBook(ctx.actor.company), await storeTime());
  const { rule, choice } = await decided(facts, stored);
  const because = new Map(choice.leftOut.map((one) => [one.user, one.because]));
  const name = (id: string | null) => facts.people.find((one) => one.id === id)?.name ?? null;
  return {
    ticketId: stored._id,
    key: stored.key,
    deskId: stored.desk,
    strategy: rule.strategy,
    outcome: outcomeOf(choice, stored.team),
    userId: choice.user,
    userName: name(choice.user),
    teamId: choice.team,
    teamName: facts.teams.find(({ id }) => id === choice.team)?.name ?? null,
    why: choice.why,
    current: await currently(stored),
    candidates: choice.pool.slice(0, 200).map((one) => ({
      userId: one.id,
      userName: one.name,
      able: !because.has(one.id),
      because: because.get(one.id) ?? null,
      openTickets: one.open,
      capacity: limitOf(one, rule),
    })),
  };
}

async function currently(stored: StoredTicket): Promise<Explanation['current']> {
  const { assignee, assignedAt } = stored;
  if (assignee === null) return null;
  const [user, entries] = await Promise.all([member(assignee), entriesOf(stored)]);
  const given = entries.findLast(({ fields }) => fields.assignee?.[1] === assignee);
  const userName = user ? (user.fullName ?? user.username) : null;
  return { userId: assignee, userName, assignedAt, why: given?.notes ?? null };
}

const TRIES = 20;

/** Gives one ticket out now, ahead of those that wait. What somebody has is released first. */
export async function routeTicket(ctx: Ctx, ref: string): Promise<Ticket> {
  if (!may(ctx.actor, 'routing.manage')) throw forbidden('ticket.route', 'Only leads give tickets out.');
  const { company } = ctx.actor;
  for (let tries = 0; tries < TRIES; tries++) {
    let refusal: string | null = null;
    const written = await giveOut(company, ctx.log, async (book, now) => {
      const stored = await load(ctx, ref);
      refusal = await obstacle(stored);
      if (refusal) return [];
      const facts = await readFacts(book, now);
      const { rule, choice } = await decided(facts, stored);
      if (choice.user === null && choice.team === stored.team) {
        refusal = choice.why;
        return [];
      }
      const by = { because: 'routing', strategy: rule.strategy, asked_by: ctx.actor.id };
      return [intentOf(facts, stored, choice, by)];
    });
    if (refusal) throw conflict('ticket.not_routed', refusal);
    if (written) return find(ctx, ref);
  }
  throw conflict('ticket.contended', 'Too many people are changing this ticket at once. Try again.');
}

async function obstacle({ company, desk, key, assignee, statusKind, status }: StoredTicket) {
  if (assignee !== null) return `Somebody has ${key}: release it first.`;
  if (statusKind !== 'new' && statusKind !== 'open')
    return `${key} is ${status}: nobody has to work on it now.`;
  const { active, key: name } = await findDesk(company, desk);
  return active ? null : `The desk ${name} is closed.`;
}
