// Taking a merge apart: the ticket that was made part of another stands by itself again, as it stood before, with its
// thread and the conversations that it brought along. What was said since stays where it was said. As ever with two
// tickets, the first write says all, and the relay finishes what a dead process left.
import { type Ctx, withoutCause } from '../context.ts';
import { conflict, forbidden, unknown } from '../errors.ts';
import type { Entry } from '../history/entry.ts';
import { may } from '../people/access.ts';
import { change, type Seen } from './change.ts';
import { entriesOf, load } from './find.ts';
import type { Conversation, Ticket } from './ticket.ts';

/** `ref` names the ticket that was merged, not the one that its key leads to. */
export async function unmerge(ctx: Ctx, ref: string, seen?: Seen): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.work')) throw forbidden('ticket.merge', 'Only agents take merges apart.');
  const source = await load(ctx, ref, { follow: false });
  const into = source.mergedInto;
  const merged = (await entriesOf(source)).findLast(
    (one) => one.action === 'merged' && one.facts?.into === into,
  );
  if (into !== null && !merged) throw unknown('merge');
  const after = await change(
    ctx,
    source._id,
    (ticket) => {
      if (ticket.mergedInto === null || ticket.mergedInto !== into || !merged) {
        if (ctx.redo) return null;
        throw conflict('ticket.not_merged', `${ticket.key} is part of no other ticket.`);
      }
      return {
        action: 'merged',
        set: {
          mergedInto: null,
          conversations: before<Conversation[]>(merged, 'conversations') ?? [],
          status: before<string>(merged, 'status') ?? ticket.status,
        },
        facts: { takenOutOf: into, intoKey: merged.facts?.intoKey },
      };
    },
    { seen, follow: false },
  );
  if (into !== null) await finishUnmerge(ctx, source._id, into);
  return after;
}

const before = <T>(entry: Entry, field: string): T | undefined => entry.fields[field]?.[0] as T | undefined;

/** The second half: idempotent, for the verb itself and for the relay. */
export async function finishUnmerge(by: Ctx, source: string, into: string): Promise<void> {
  const ctx = withoutCause(by);
  const given = await load(ctx, source, { follow: false });
  if (given.mergedInto !== null) return;
  const left = new Set([source, ...given.mergedFrom.map((one) => one.ticket)]);
  const theirs = new Set(given.conversations.map((one) => one.id));
  // The one it was part of, and whatever that became part of since.
  for (let at: string | null = into, step = 0; at && step < 20; step++) {
    const ticket = await change(
      ctx,
      at,
      (now) =>
        now.mergedFrom.some((one) => one.ticket === source)
          ? {
              action: 'merged',
              set: {
                mergedFrom: now.mergedFrom.filter((one) => !left.has(one.ticket)),
                conversations: now.conversations.filter((one) => !theirs.has(one.id)),
                replies: Math.max(0, now.replies - given.replies),
              },
              facts: { gaveBack: source, fromKey: given.key },
            }
          : null,
      { follow: false },
    );
    at = ticket.mergedInto;
  }
}
