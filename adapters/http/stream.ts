// What happens, as it happens: server-sent events of tickets and notifications that the caller may see. Woken by
// signals from all processes, and looking by itself every few seconds, so that a lost signal is a delay and no gap.
// Who reads too slowly is let go, and comes back with Last-Event-ID.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { type Actor, type Ctx, systemCtx } from '../../src/context.ts';
import { busy } from '../../src/errors.ts';
import { type Entry, isPublic, shownNumber } from '../../src/history/entry.ts';
import { filed, filedSince } from '../../src/history/history.ts';
import type { Logger } from '../../src/log.ts';
import { findNotification, notificationsSince } from '../../src/notify/notifications.ts';
import { maySee, maySeeNotes } from '../../src/people/access.ts';
import { listen, type Signals } from '../../src/signals.ts';
import { load } from '../../src/tickets/find.ts';
import { eventOf } from '../../src/tickets/story.ts';
import { asTicket, type Ticket } from '../../src/tickets/ticket.ts';
import { type Route, route } from './route.ts';
import { toWire } from './wire.ts';

const BEAT_MS = 15_000;
const LOOK_MS = 3_000;
const MOST_UNREAD_BYTES = 512 * 1024;
const MOST_PER_PERSON = 20;
const MOST_RESUMED = 1_000;
/** Entries of several tickets are filed in about the order of their times. */
const OVERLAP_MS = 2_000;
const REMEMBERED = 5_000;

interface Listener {
  ctx: Ctx;
  /** Who they are now: a role taken away counts for the very next event. */
  who: () => Promise<Actor>;
  res: Response;
  began: Date;
  /** Ids that it has been sent. */
  sent: Set<string>;
}

interface Hub {
  listeners: Set<Listener>;
  close: () => void;
}

/** The entries of one company that are told to its listeners, each once. */
interface Feed {
  since: Date;
  seen: Set<string>;
}

export interface Streams {
  route: Route;
  close: () => void;
}

export function openStreams(log: Logger, identify: (req: Request) => Promise<Actor>): Streams {
  let hub: Hub | null = null;
  const close = () => {
    hub?.close();
    for (const { res } of hub?.listeners ?? []) res.end();
    hub = null;
  };
  return {
    close,
    route: route({
      method: 'get',
      path: '/api/v1/stream',
      tag: 'Notifications',
      summary: 'What happens, as it happens (server-sent events)',
      description:
        'Events `ticket` and `notification`. Reconnecting with Last-Event-ID brings what was missed; `reset` says that it was too much, and that lists should be read again. An id may rarely come twice.',
      deed: 'self.read',
      query: z.strictObject({ lastEventId: z.string().max(100).optional() }),
      produces: 'text/event-stream',
      run: async ({ ctx, req, res, query }) => {
        hub ??= openHub(log);
        const own = [...hub.listeners].filter((one) => one.ctx.actor.id === ctx.actor.id);
        if (own.length >= MOST_PER_PERSON)
          throw busy('stream.too_many', `At most ${MOST_PER_PERSON} streams at once for one person.`, 30);
        res.writeHead(200, {
          'Content-Type': 'text/event-stream; charset=utf-8',
          'Cache-Control': 'no-store',
          Connection: 'keep-alive',
          'X-Accel-Buffering': 'no',
        });
        res.write('retry: 2000\n\n');
        const who = () => identify(req);
        const listener: Listener = { ctx, who, res, began: new Date(), sent: new Set() };
        const { listeners } = hub;
        listeners.add(listener);
        const beat = setInterval(() => {
          void isStill(listener).then((is) => is && res.write(': beat\n\n'));
        }, BEAT_MS);
        res.on('close', () => {
          clearInterval(beat);
          listeners.delete(listener);
        });
        const last = req.get('last-event-id') ?? query.lastEventId;
        if (last) await resume(listener, last);
      },
    }),
  };
}

function openHub(log: Logger): Hub {
  const listeners = new Set<Listener>();
  const feeds = new Map<string, Feed>();
  let line: Promise<unknown> = Promise.resolve();
  const inOrder = (work: () => Promise<unknown>) => {
    line = line.then(work).catch((error: Error) => log.debug({ reason: error.message }, 'a stream'));
  };
  const of = (company: string) => [...listeners].filter((one) => one.ctx.actor.company === company);
  const hear = async ({ company, ticket, user, id }: Signals['change']) => {
    if (user) await tellNotification(of(company), user, id);
    else if (ticket && of(company).length) {
      const entry = await entryOf(ticket, id);
      if (entry) await tellAll(entry);
    }
  };
  const tellAll = async (entry: Entry, isLate = false) => {
    const feed = feeds.get(entry.company);
    if (feed?.seen.has(entry._id)) return;
    if (feed && feed.seen.size > REMEMBERED) feed.seen.clear();
    feed?.seen.add(entry._id);
    const ticket = await ticketOf(log, entry);
    for (const listener of ticket ? of(entry.company) : [])
      if (ticket && !(isLate && entry.at < listener.began)) await tell(listener, entry, ticket);
  };
  const look = async () => {
    for (const company of new Set([...listeners].map((one) => one.ctx.actor.company))) {
      const feed = feeds.get(company) ?? { since: new Date(Date.now() - LOOK_MS), seen: new Set<string>() };
      feeds.set(company, feed);
      const since = new Date(feed.since.getTime() - OVERLAP_MS);
      feed.since = new Date();
      for (const entry of await filedSince(company, since, MOST_RESUMED)) await tellAll(entry, true);
    }
  };
  const unlisten = listen('change', (facts) => {
    if (listeners.size) inOrder(() => hear(facts));
  });
  const timer = setInterval(() => inOrder(look), LOOK_MS);
  return {
    listeners,
    close: () => {
      unlisten();
      clearInterval(timer);
    },
  };
}

async function entryOf(ticket: string, id: string): Promise<Entry | null> {
  const seq = Number(id.slice(id.lastIndexOf('-') + 1));
  const [entry] = await filed(ticket, { after: seq - 1, limit: 1 });
  return entry?._id === id ? entry : null;
}

/** The very ticket of the entry: whoever may see the one that it became part of has not seen this one. */
const ticketOf = (log: Logger, { company, ticket }: Entry): Promise<Ticket | null> =>
  load(systemCtx({ log }, company), ticket, { follow: false }).then(asTicket, () => null);

/** Looks again who they are; lets go whom we no longer know. */
async function isStill(listener: Listener): Promise<boolean> {
  try {
    listener.ctx = { ...listener.ctx, actor: await listener.who() };
    return true;
  } catch {
    listener.res.end();
    return false;
  }
}

async function tell(listener: Listener, entry: Entry, ticket: Ticket): Promise<void> {
  const mayHear = () => {
    const { actor } = listener.ctx;
    return maySee(actor, ticket) && (maySeeNotes(actor) || isPublic(entry));
  };
  if (!mayHear() || !(await isStill(listener)) || !mayHear()) return;
  const { actor } = listener.ctx;
  const { _id, key, deskKey, title, status, statusKind, priority, assignee, team } = ticket;
  const event = eventOf(actor, entry);
  send(listener, 'ticket', entry.at, event.id, {
    ...event,
    ticket: {
      id: _id,
      key,
      desk: deskKey,
      title,
      status,
      statusKind,
      priority,
      assigneeId: assignee,
      teamId: team,
      updatedAt: maySeeNotes(actor) ? ticket.updatedAt : ticket.shownAt,
    },
  });
}

async function tellNotification(listeners: Listener[], user: string, id: string): Promise<void> {
  for (const listener of listeners) {
    if (listener.ctx.actor.id !== user || !(await isStill(listener))) continue;
    if (id === 'read') {
      send(listener, 'notifications_read', new Date(), `read-${Date.now()}`, {});
      continue;
    }
    const found = await findNotification(listener.ctx, id);
    if (found) send(listener, 'notification', found.createdAt, `n-${id}${found.read ? '-read' : ''}`, found);
  }
}

function send({ res, sent }: Listener, event: string, at: Date, id: string, data: unknown): void {
  if (sent.has(id) || res.writableEnded || res.destroyed) return;
  if (sent.size > REMEMBERED) sent.clear();
  sent.add(id);
  if (res.writableLength > MOST_UNREAD_BYTES) {
    res.destroy();
    return;
  }
  const text = toWire(data);
  res.write(`id: ${at.getTime()}-${id}\nevent: ${event}\ndata: ${text}\n\n`);
}

/** What happened since the event with this id, oldest first. */
async function resume(listener: Listener, last: string): Promise<void> {
  const found = /^(\d{12,15})-([\w-]{1,90})$/.exec(last);
  if (!found?.[1] || !found[2]) return send(listener, 'reset', new Date(), 'reset', {});
  const { ctx } = listener;
  const [at, id] = [Number(found[1]), found[2]];
  const since = new Date(at - OVERLAP_MS);
  const [entries, notes] = await Promise.all([
    filedSince(ctx.actor.company, since, MOST_RESUMED),
    notificationsSince(ctx, since, MOST_RESUMED),
  ]);
  if (entries.length === MOST_RESUMED || notes.length === MOST_RESUMED)
    return send(listener, 'reset', new Date(), 'reset', {});
  const tickets = new Map<string, Ticket | null>();
  const [lastTicket = '', number = ''] = id.split('-');
  const isKnown = (entry: Entry) =>
    number.startsWith('p') ? shownNumber(entry) <= Number(number.slice(1)) : entry.seq <= Number(number);
  for (const entry of entries) {
    const before = entry.ticket === lastTicket && isKnown(entry);
    if (before || (entry.ticket !== lastTicket && isOld(entry, at))) continue;
    if (!tickets.has(entry.ticket)) tickets.set(entry.ticket, await ticketOf(ctx.log, entry));
    const ticket = tickets.get(entry.ticket);
    if (ticket) await tell(listener, entry, ticket);
  }
  for (const note of notes)
    if (`n-${note.id}` !== id && note.createdAt.getTime() >= at)
      send(listener, 'notification', note.createdAt, `n-${note.id}`, note);
}

/** Filed so long before that it was certainly sent. */
const isOld = (entry: Entry, at: number) => at - entry.at.getTime() > OVERLAP_MS / 4;
