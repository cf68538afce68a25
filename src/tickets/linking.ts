// Links between tickets, told from both ends: what one calls its parent calls it its child. The side that was written
// first is right; the other is made to agree with it.
import { z } from 'zod';
import { type Ctx, withoutCause } from '../context.ts';
import { conflict, forbidden, unknown, unlessGone } from '../errors.ts';
import { may } from '../people/access.ts';
import { change, type Decide, type Seen } from './change.ts';
import { find } from './find.ts';
import type { Ticket, TicketLink } from './ticket.ts';

const KINDS = ['parent', 'child', 'duplicate', 'related'] as const;
const INVERSE: Record<TicketLink['kind'], TicketLink['kind']> = {
  parent: 'child',
  child: 'parent',
  duplicate: 'duplicate',
  related: 'related',
};
const kind = z
  .string()
  .max(20)
  .transform((text) => text.trim().toLowerCase())
  .pipe(z.enum(KINDS));
const other = z.string().min(1).max(64).meta({ description: 'Id or key of the other ticket.' });
export const linkInput = z.strictObject({ kind: kind.default('related'), ticketId: other });
export const unlinkInput = z.strictObject({ kind: kind.optional(), ticketId: other });

const MOST_LINKS = 500;
const HIGHEST = 50;

export async function link(
  ctx: Ctx,
  ref: string,
  given: z.output<typeof linkInput>,
  seen?: Seen,
): Promise<Ticket> {
  checkMay(ctx);
  const [here, there] = [await find(ctx, ref), await find(ctx, given.ticketId)];
  if (here._id === there._id) throw conflict('ticket.link_itself', 'A ticket is not linked to itself.');
  if (given.kind === 'parent') await checkParent(ctx, here, there);
  if (given.kind === 'child') await checkParent(ctx, there, here);
  const join: Decide = (ticket) => {
    if (ticket.links.some((one) => one.kind === given.kind && one.ticket === there._id)) return null;
    if (ticket.links.length >= MOST_LINKS)
      throw conflict('ticket.links', `A ticket has at most ${MOST_LINKS} links.`);
    if (given.kind === 'parent' && ticket.links.some((one) => one.kind === 'parent'))
      throw conflict('ticket.has_parent', 'This ticket has a parent already.');
    return {
      action: 'linked',
      set: { links: [...ticket.links, { kind: given.kind, ticket: there._id, key: there.key }] },
      facts: { linkedWith: there._id, key: there.key, kind: given.kind },
    };
  };
  const linked = await change(ctx, here._id, join, { seen });
  await finishLinks(ctx, here._id, there._id, entryIn(linked));
  return linked;
}

export async function unlink(
  ctx: Ctx,
  ref: string,
  given: z.output<typeof unlinkInput>,
  seen?: Seen,
): Promise<Ticket> {
  checkMay(ctx);
  const here = await find(ctx, ref);
  // By a key that it had before as well; what is gone is still unlinked by how it is called here.
  const there = await find(ctx, given.ticketId).catch(() => null);
  const isMeant = (one: TicketLink) =>
    (one.ticket === (there?._id ?? given.ticketId) || one.key === given.ticketId.trim().toUpperCase()) &&
    (given.kind === undefined || one.kind === given.kind);
  const gone = here.links.find(isMeant);
  if (!gone && ctx.redo) return here;
  if (!gone) throw unknown('link');
  const part: Decide = (ticket) => {
    const links = ticket.links.filter((one) => !isMeant(one));
    if (links.length === ticket.links.length) return null;
    return {
      action: 'linked',
      set: { links },
      facts: { linkedWith: gone.ticket, key: gone.key, kind: gone.kind, removed: true },
    };
  };
  const unlinked = await change(ctx, here._id, part, { seen });
  await finishLinks(ctx, here._id, gone.ticket, entryIn(unlinked));
  return unlinked;
}

function checkMay(ctx: Ctx): void {
  if (!may(ctx.actor, 'ticket.work')) throw forbidden('ticket.link', 'Only agents link tickets.');
}

async function checkParent(ctx: Ctx, child: Ticket, parent: Ticket): Promise<void> {
  const own = child.links.find((one) => one.kind === 'parent');
  if (own && own.ticket !== parent._id)
    throw conflict('ticket.has_parent', `${child.key} has a parent already: ${own.key}.`);
  let above: Ticket | null = parent;
  for (let step = 0; above && step < HIGHEST; step++) {
    const up: TicketLink | undefined = above.links.find((one) => one.kind === 'parent');
    if (up?.ticket === child._id)
      throw conflict('ticket.link_circle', `${parent.key} is below ${child.key} already.`);
    above = up ? await find(ctx, up.ticket).catch(unlessGone) : null;
  }
}

/** It has another key now: whatever is linked with it says so. Idempotent, for the verb and for the relay. */
export async function finishMove(by: Ctx, moved: string): Promise<void> {
  const ctx = withoutCause(by);
  const mine = await find(ctx, moved);
  const isOld = (one: TicketLink) => one.ticket === mine._id && one.key !== mine.key;
  for (const there of new Set(mine.links.map((one) => one.ticket)))
    await change(
      ctx,
      there,
      ({ links }) =>
        links.some(isOld)
          ? {
              action: 'linked',
              set: { links: links.map((one) => (isOld(one) ? { ...one, key: mine.key } : one)) },
              facts: { key: mine.key, mirror: true },
              silent: true,
            }
          : null,
      { follow: false },
    ).catch(unlessGone);
}

const entryIn = ({ _id, seq }: Ticket): string => `${_id}-${seq}`;

/**
 * The second half: the other side is made to agree with this one, once for each entry, by the verb or by the relay: a
 * relay that comes by later would put back what the other side is just taking away.
 */
export async function finishLinks(by: Ctx, here: string, there: string, entry: string): Promise<void> {
  const ctx: Ctx = { ...by, cause: `mirror:${entry}`, redo: true };
  const mine = await find(ctx, here);
  const due = mine.links.filter((one) => one.ticket === there).map((one) => INVERSE[one.kind]);
  await change(
    ctx,
    there,
    (ticket) => {
      const has = ticket.links.filter((one) => one.ticket === here).map((one) => one.kind);
      const missing = due.filter((one) => !has.includes(one));
      const surplus = has.filter((one) => !due.includes(one));
      if (!missing.length && !surplus.length) return null;
      const kept = ticket.links.filter((one) => one.ticket !== here || !surplus.includes(one.kind));
      const added = missing.map((one): TicketLink => ({ kind: one, ticket: here, key: mine.key }));
      return {
        action: 'linked',
        set: { links: [...kept, ...added] },
        facts: { key: mine.key, mirror: true },
      };
    },
    { follow: false },
  );
}
