// Splitting: chosen comments leave for a ticket of their own, with their authors, times and audiences. First the new
// ticket is born with them; then the old one lets go of them.
import { z } from 'zod';
import { type Ctx, withoutCause } from '../context.ts';
import { findDesk } from '../desks/desks.ts';
import { conflict, forbidden, invalid, isUnknown, Refusal } from '../errors.ts';
import { newId } from '../id.ts';
import { may } from '../people/access.ts';
import { change, checkSeen, type Decide, open, type Seen, type TicketDraft } from './change.ts';
import { entriesOf, load, spokenOn } from './find.ts';
import { type Comment, threadOf } from './threads.ts';
import { type StoredTicket, type Ticket, versionFor } from './ticket.ts';
import { line } from './tickets.ts';

export const splitInput = z.strictObject({
  commentIds: z.array(z.string().max(64)).min(1).max(200),
  title: line(300).optional(),
  description: z.string().max(100_000).optional(),
  desk: z.string().max(40).optional(),
});

export async function split(
  ctx: Ctx,
  ref: string,
  given: z.output<typeof splitInput>,
  seen?: Seen,
): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.work')) throw forbidden('ticket.split', 'Only agents split tickets.');
  const source = await load(ctx, ref);
  if (!ctx.redo) checkSeen(ctx, source, seen);
  const thread = threadOf(await spokenOn(source));
  const wanted = [...new Set(given.commentIds)];
  const chosen = thread.filter((one) => wanted.includes(one.id));
  const bad = chosen.filter((one) => one.deletedAt || (one.movedTo !== null && !ctx.redo));
  if (chosen.length !== wanted.length || bad.length)
    throw invalid('ticket.split_comments', 'Some of these comments are not (any more) on this ticket.', [
      { path: 'comment_ids', message: 'must be comments of this ticket that are not deleted' },
    ]);
  const desk = await findDesk(source.company, given.desk ?? source.desk);
  const cause = ctx.cause ?? `split:${newId(ctx.now())}`;
  const born = await open(
    { ...ctx, cause },
    desk,
    {
      title: given.title ?? `${source.title} (split)`.slice(0, 300),
      description: given.description ?? chosen.find((one) => one.audience === 'public')?.text ?? '',
      requester: source.requester,
      priority: source.priority,
      category: source.category && desk.categories.includes(source.category) ? source.category : null,
      tags: source.tags,
      environment: source.environment,
      affectedService: source.affectedService,
      private: source.private,
      watchers: source.watchers,
      replies: chosen.filter((one) => one.audience === 'public').length,
      links: [{ kind: 'related', ticket: source._id, key: source.key }],
    },
    chosen.map(carried),
    { facts: { splitFrom: source._id, splitFromKey: source.key, comments: wanted } },
  );
  await finishSplit(ctx, born._id);
  return born;
}

const carried = ({
  id,
  audience,
  text,
  attachments,
  origin,
  author,
  createdAt,
  mentions,
}: Comment): TicketDraft => ({
  action: 'comment_added',
  silent: true,
  comment: { id, audience, text, attachments, author, writtenAt: createdAt, ...(origin ? { origin } : {}) },
  facts: { carried: true, ...(mentions.length ? { mentions } : {}) },
});

const TRIES = 20;

/** The second half: idempotent, for the verb itself and for the relay. Of two who carry off the same one gives way. */
export async function finishSplit(by: Ctx, born: string): Promise<void> {
  const ctx = withoutCause(by);
  const ticket = await load(ctx, born, { follow: false }).catch(takenIfGone);
  const facts = (await entriesOf(ticket))[0]?.facts;
  if (typeof facts?.splitFrom !== 'string') return;
  const leaving = ticket.replies;
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const source = await load(ctx, facts.splitFrom);
    const isDone = (await entriesOf(source)).some(
      (one) => one.action === 'split' && one.facts?.into === born,
    );
    if (isDone) return;
    await giveWay(ctx, source, ticket, facts.comments);
    const letGo: Decide = ({ links, replies }) =>
      links.some((link) => link.ticket === born)
        ? null
        : {
            action: 'split',
            set: {
              links: [...links, { kind: 'related', ticket: born, key: ticket.key }],
              replies: Math.max(0, replies - leaving),
            },
            facts: { into: born, intoKey: ticket.key, comments: facts.comments },
          };
    try {
      await change(ctx, source._id, letGo, { seen: versionFor(ctx.actor, source) });
      return;
    } catch (error) {
      if (attempt === TRIES || !(error instanceof Refusal && error.kind === 'stale')) throw error;
    }
  }
}

/** What somebody else has carried off meanwhile stands there, and nowhere else. */
async function giveWay(ctx: Ctx, source: StoredTicket, born: StoredTicket, wanted: unknown): Promise<void> {
  const ids = Array.isArray(wanted) ? wanted : [];
  const isTaken = threadOf(await spokenOn(source)).some(
    ({ id, movedTo }) => ids.includes(id) && movedTo !== null && movedTo !== born._id,
  );
  if (!isTaken) return;
  await change(ctx, born._id, () => ({ action: 'deleted', set: { deletedAt: ctx.now() } }), {
    follow: false,
  }).catch(takenIfGone);
  throw taken();
}

const taken = () =>
  conflict(
    'ticket.split_taken',
    'Somebody has just carried off some of these comments. Read the thread again.',
  );

/** The relay, or the verb, was quicker to see that this one has to give way. */
const takenIfGone = (error: unknown): never => {
  throw isUnknown(error) ? taken() : error;
};
