// The list that each person has of what they should know. Read in one place is read everywhere: what was read is not
// sent by any other medium any more.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { unknown } from '../errors.ts';
import { list, type Page, pageQuery, yesOrNo } from '../lists.ts';
import { maySeeNotes } from '../people/access.ts';
import { signal } from '../signals.ts';
import { onlyDuplicates } from '../store.ts';
import { EVENTS } from './messages.ts';
import { notificationCollection, type StoredNotification } from './model.ts';

export const notificationQuery = z.strictObject({ ...pageQuery, unread: yesOrNo.optional() });

export const notificationShape = z.object({
  id: z.string(),
  event: z.enum(EVENTS),
  title: z.string(),
  text: z.string(),
  by: z.string(),
  ticketId: z.string(),
  ticketKey: z.string(),
  ticketTitle: z.string(),
  entryId: z.string(),
  read: z.boolean(),
  readAt: z.date().nullable(),
  createdAt: z.date(),
});
export type Notification = z.output<typeof notificationShape>;

export const drawNotification = ({
  _id,
  event,
  news,
  ticket,
  readAt,
  at,
}: StoredNotification): Notification => ({
  id: _id,
  event,
  title: news.headline,
  text: news.text,
  by: news.by,
  ticketId: ticket,
  ticketKey: news.ticket.key,
  ticketTitle: news.ticket.title,
  entryId: news.entry,
  read: readAt !== null,
  readAt,
  createdAt: at,
});

const mine = ({ actor }: Ctx) => ({
  'person.id': actor.id,
  'person.kind': 'user' as const,
  company: actor.company,
  listed: true,
  // What somebody was told as an agent is not theirs any more as a customer.
  ...(maySeeNotes(actor) ? {} : { audience: 'public' as const }),
});

export const unreadCount = (ctx: Ctx): Promise<number> =>
  notificationCollection().countDocuments({ ...mine(ctx), readAt: null });

export async function notifications(
  ctx: Ctx,
  { unread, ...page }: z.output<typeof notificationQuery>,
): Promise<Page<Notification> & { unread: number }> {
  const filter = { ...mine(ctx), ...(unread === undefined ? {} : { readAt: unread ? null : { $ne: null } }) };
  const order = { field: 'at', direction: 'desc' } as const;
  const [found, count] = await Promise.all([
    list(notificationCollection(), filter, order, page, drawNotification),
    unreadCount(ctx),
  ]);
  return { ...found, unread: count };
}

/** Nothing more goes out for what was read. */
const asRead = (at: Date) => ({ $set: { readAt: at, due: null, media: [] } });

export async function markRead(ctx: Ctx, id: string): Promise<Notification> {
  const at = ctx.now();
  const changed = await notificationCollection().findOneAndUpdate(
    { ...mine(ctx), _id: id, readAt: null },
    asRead(at),
    { returnDocument: 'after' },
  );
  const found = changed ?? (await notificationCollection().findOne({ ...mine(ctx), _id: id }));
  if (!found) throw unknown('notification');
  if (changed) tellReader(found);
  return drawNotification(found);
}

export async function markAllRead(ctx: Ctx): Promise<number> {
  const done = await notificationCollection().updateMany({ ...mine(ctx), readAt: null }, asRead(ctx.now()));
  if (done.modifiedCount) signal('change', { company: ctx.actor.company, user: ctx.actor.id, id: 'read' });
  return done.modifiedCount;
}

const tellReader = ({ company, person, ticket, _id }: StoredNotification) => {
  if (person.kind === 'user') signal('change', { company, user: person.id, ticket, id: _id });
};

/** Who does something on a ticket has seen what was told of it before. */
export async function readByDoing(
  deeds: readonly { ticket: string; user: string; company: string; at: Date }[],
): Promise<void> {
  if (!deeds.length) return;
  const last = new Map(deeds.map((one) => [`${one.user} ${one.ticket}`, one]));
  const done = await notificationCollection().bulkWrite(
    [...last.values()].map(({ ticket, user, at }) => ({
      updateMany: {
        filter: { 'person.id': user, 'person.kind': 'user', readAt: null, at: { $lt: at }, ticket },
        update: asRead(at),
      },
    })),
    { ordered: false },
  );
  if (done.modifiedCount)
    for (const { company, user, ticket } of last.values())
      signal('change', { company, user, ticket, id: 'read' });
}

/** Told again is told once. */
export async function addNotifications(told: readonly StoredNotification[]): Promise<void> {
  if (!told.length) return;
  try {
    await notificationCollection().insertMany([...told], { ordered: false });
  } catch (error) {
    if (!onlyDuplicates(error)) throw error;
  }
}

export const signalNotifications = (told: readonly StoredNotification[]): void => {
  for (const one of told) if (one.listed) tellReader(one);
};

/** For the stream: one of the caller's. */
export async function findNotification(ctx: Ctx, id: string): Promise<Notification | null> {
  const found = await notificationCollection().findOne({ ...mine(ctx), _id: id });
  return found && drawNotification(found);
}

/** For the stream: those since then, oldest first. */
export async function notificationsSince(ctx: Ctx, since: Date, limit: number): Promise<Notification[]> {
  const found = await notificationCollection()
    .find({ ...mine(ctx), at: { $gte: since } })
    .sort({ at: 1, _id: 1 })
    .limit(limit)
    .toArray();
  return found.map(drawNotification);
}
