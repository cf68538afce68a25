// Who is away, until when, how much somebody takes, and whether their tickets are handed to others when they go. People
// say it of themselves, leads of everybody.
import { z } from 'zod';
import { storeTime } from '../clock.ts';
import type { Ctx } from '../context.ts';
import { forbidden, invalid, unknown } from '../errors.ts';
import { atLeast, may } from '../people/access.ts';
import { type Member, member } from '../people/members.ts';
import { signal } from '../signals.ts';
import { loadsOf } from '../tickets/waiting.ts';
import { isAway } from './absence.ts';
import { fence } from './book.ts';
import { presenceCollection } from './model.ts';

export const presenceInput = z
  .strictObject({
    away: z.boolean().optional(),
    until: z.coerce
      .date()
      .nullable()
      .optional()
      .meta({ description: 'Back by then, by themselves.', format: 'date-time' }),
    handOver: z
      .boolean()
      .default(false)
      .meta({ description: 'Going away: give my tickets to others, by the rule of their desks.' }),
    capacity: z
      .int()
      .min(0)
      .max(10_000)
      .nullable()
      .optional()
      .meta({ description: 'So many new and open tickets at most, whatever the desk says. For leads.' }),
  })
  .meta({ examples: [{ away: true, until: '2030-01-07T08:00:00Z', hand_over: true }] });

export const presenceShape = z
  .object({
    userId: z.string(),
    away: z.boolean(),
    since: z.date().nullable(),
    until: z.date().nullable(),
    handingOver: z.boolean().meta({ description: 'Their tickets are just being handed to others.' }),
    capacity: z.int().nullable(),
    openTickets: z.int(),
    skills: z.array(z.string()),
  })
  .meta({ id: 'Availability' });
export type Presence = z.output<typeof presenceShape>;

async function load(ctx: Ctx, id: string): Promise<Member> {
  const found = await member(id === 'me' ? ctx.actor.id : id);
  if (!found || found.deletedAt || found.company !== ctx.actor.company || found.role === 'customer')
    throw unknown('user');
  return found;
}

async function drawn({ id, company, skills }: Member, now: Date): Promise<Presence> {
  const [stored, loads] = await Promise.all([
    presenceCollection().findOne({ _id: id }),
    loadsOf(company, [id]),
  ]);
  const away = stored !== null && isAway(stored, now);
  return {
    userId: id,
    away,
    since: away ? stored.since : null,
    until: away ? stored.until : null,
    handingOver: away && stored.handingOver === 'all',
    capacity: stored?.capacity ?? null,
    openTickets: loads.get(id)?.open ?? 0,
    skills: skills ?? [],
  };
}

export const readPresence = async (ctx: Ctx, id: string): Promise<Presence> =>
  drawn(await load(ctx, id), await storeTime());

export async function setPresence(
  ctx: Ctx,
  id: string,
  { away, until, handOver, capacity }: z.output<typeof presenceInput>,
): Promise<Presence> {
  const user = await load(ctx, id);
  const leads = atLeast(ctx.actor.role, 'lead');
  if (!may(ctx.actor, 'presence.set')) throw forbidden('availability', 'Only agents are away or back.');
  if (user.id !== ctx.actor.id && !leads)
    throw forbidden('availability.others', 'Only leads say that somebody else is away.');
  if (capacity !== undefined && !leads)
    throw forbidden('availability.capacity', 'Only leads change how much somebody takes.');
  const now = await storeTime();
  if (until && until <= now)
    throw invalid('availability.past', 'That is past: say until when somebody will be away.', [
      { path: 'until', message: 'must be in the future' },
    ]);
  if ((until || handOver) && away !== true)
    throw invalid('availability.here', 'Only who is away comes back or hands over.', [
      { path: 'away', message: 'must be true with until or hand_over' },
    ]);
  const before = await presenceCollection().findOne({ _id: user.id });
  const isGone = before !== null && isAway(before, now);
  // Who is away already and says so again hands over again only on their word.
  const leaving = handOver ? 'all' : isGone ? before.handingOver : 'desks';
  const since = isGone ? before.since : now;
  const going = { away: true, until: until ?? null, handingOver: leaving, since };
  const staying = { away: false, until: null, handingOver: null, since: null };
  const set = {
    company: user.company,
    updatedAt: now,
    ...(away === undefined ? {} : away ? going : staying),
    ...(capacity === undefined ? {} : { capacity }),
  };
  const first = Object.fromEntries(
    Object.entries({ ...staying, capacity: null }).filter(([name]) => !(name in set)),
  );
  await presenceCollection().updateOne(
    { _id: user.id },
    { $set: set, $setOnInsert: first },
    { upsert: true },
  );
  if (away) await fence(user.company, ctx.log);
  signal('inbound', { kind: 'routing' });
  return drawn(user, now);
}
