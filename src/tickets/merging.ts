// Merging: one ticket becomes part of another. Its key leads there, its thread is read with the other's, its watchers
// and conversations go over. First it gives itself up, in one write that nobody can repeat; then the other takes it in.
import { z } from 'zod';
import { type Ctx, withoutCause } from '../context.ts';
import { conflict, forbidden } from '../errors.ts';
import type { Entry } from '../history/entry.ts';
import { may } from '../people/access.ts';
import { change, type Seen } from './change.ts';
import { entriesOf, find, load } from './find.ts';
import type { Conversation, StoredTicket, Ticket } from './ticket.ts';
import { stateOfKind } from './workflow.ts';

export const mergeInput = z.strictObject({
  into: z.string().min(1).max(64).meta({ description: 'Id or key of the ticket that stays.' }),
  notes: z.string().trim().max(4_000).optional(),
});

export async function merge(
  ctx: Ctx,
  ref: string,
  { into, notes }: z.output<typeof mergeInput>,
  seen?: Seen,
): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.work')) throw forbidden('ticket.merge', 'Only agents merge tickets.');
  const source = await load(ctx, ref, { follow: false });
  const target = await find(ctx, into);
  const alreadyIn = (ticket: Ticket) =>
    conflict('ticket.merged', `${ticket.key} was merged already: it is part of ${target.key}.`);
  if (source._id === target._id)
    throw conflict('ticket.merge_itself', 'A ticket cannot be merged into itself.');
  await change(
    ctx,
    source._id,
    (ticket, desk) => {
      if (ticket.mergedInto !== null) {
        if (ticket.mergedInto === target._id && ctx.redo) return null;
        throw alreadyIn(ticket);
      }
      const closed = stateOfKind(desk.workflow, 'closed', ticket.status);
      return {
        action: 'merged',
        set: {
          mergedInto: target._id,
          conversations: [],
          snoozedUntil: null,
          ...(closed ? { status: closed } : {}),
        },
        facts: { into: target._id, intoKey: target.key },
        ...(notes ? { notes } : {}),
      };
    },
    { seen, follow: false },
  );
  await finishMerge(ctx, source._id);
  return find(ctx, target._id);
}

/** The second half: idempotent, for the verb itself and for the relay. */
export async function finishMerge(by: Ctx, source: string): Promise<void> {
  const ctx = withoutCause(by);
  const given = await load(ctx, source, { follow: false });
  const entry = (await entriesOf(given)).findLast((one) => one.action === 'merged' && one.facts?.into);
  if (!entry || given.mergedInto === null || entry.facts?.into !== given.mergedInto) return;
  if (await leadsBack(ctx, given)) {
    await takeBack(ctx, given, entry);
    throw conflict('ticket.merge_circle', 'These tickets were just merged the other way round.');
  }
  const conversations = before<Conversation[]>(entry, 'conversations') ?? [];
  await change(ctx, given.mergedInto, (ticket) => {
    if (ticket.mergedFrom.some((one) => one.ticket === source)) return null;
    const latest = [ticket.lastReplyAt, given.lastReplyAt].filter((at) => at !== null);
    return {
      action: 'merged',
      set: {
        mergedFrom: [...ticket.mergedFrom, { ticket: source, key: given.key }, ...given.mergedFrom],
        watchers: watchersOf(ticket, given),
        conversations: [
          ...ticket.conversations,
          ...conversations.filter((one) => !ticket.conversations.some(({ id }) => id === one.id)),
        ],
        replies: ticket.replies + given.replies,
        lastReplyAt: latest.reduce<Date | null>((a, b) => (a && a > b ? a : b), null),
      },
      facts: { from: source, fromKey: given.key },
    };
  });
}

/** Everybody who followed the one follows the other: its requester and assignee too. */
function watchersOf(ticket: Ticket, given: Ticket): string[] {
  const theirs = [
    ...given.watchers,
    ...(given.requester.kind === 'user' ? [given.requester.id] : []),
    ...(given.assignee ? [given.assignee] : []),
  ];
  const has = new Set([ticket.requester.id, ticket.assignee]);
  return [...new Set([...ticket.watchers, ...theirs.filter((id) => !has.has(id))])];
}

const before = <T>(entry: Entry, field: string): T | undefined => entry.fields[field]?.[0] as T | undefined;

/** Two people merged two tickets into each other at the same instant. */
async function leadsBack(ctx: Ctx, given: StoredTicket): Promise<boolean> {
  let at = given.mergedInto;
  for (let step = 0; at && step < 20; step++) {
    if (at === given._id) return true;
    at = (await load(ctx, at, { follow: false })).mergedInto;
  }
  return false;
}

async function takeBack(ctx: Ctx, given: StoredTicket, entry: Entry): Promise<void> {
  await change(
    ctx,
    given._id,
    (ticket) =>
      ticket.mergedInto === null
        ? null
        : {
            action: 'merged',
            set: {
              mergedInto: null,
              conversations: before<Conversation[]>(entry, 'conversations') ?? [],
              status: before<string>(entry, 'status') ?? ticket.status,
            },
            facts: { takenBack: true },
          },
    { follow: false },
  );
}
