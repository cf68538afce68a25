// What an entry sets in motion: deliveries to the ticket's conversations, cards that are drawn again, notifications to
// people. Planning the same entry twice makes the same ids, so that doing it again changes nothing.
import type { Entry } from '../history/entry.ts';
import { idFrom } from '../id.ts';
import { isSilent } from '../places/channels.ts';
import { asTicket, type Conversation, type StoredTicket, type Ticket } from '../tickets/ticket.ts';
import { traceparent } from '../tracing.ts';
import { audienceOf, preferencesFor } from './audience.ts';
import type { Channel, DeliveryKind, Destination, Message } from './channel.ts';
import {
  cardMessage,
  conversationMessage,
  type Event,
  fileOf,
  internalNews,
  type Names,
  publicly,
  publicNews,
} from './messages.ts';
import { deliveryCollection, type StoredDelivery, type StoredNotification } from './model.ts';
import { isUrgent, type Medium, mediaFor, overridesQuiet, quietUntil } from './preferences.ts';
import { eventOf, type Hearer, hearers } from './recipients.ts';

export interface Plan {
  deliveries: StoredDelivery[];
  /** Cards: written over the one before, so that only the newest is drawn. */
  cards: StoredDelivery[];
  notifications: StoredNotification[];
}

export interface PlanOptions {
  channels: ReadonlyMap<string, Channel>;
  now: () => Date;
  /** What happens on one ticket within this time becomes one message. */
  bundleMs: number;
  /** Off: nobody is notified; conversations and cards go on. */
  notifies: boolean;
  isOnCall?: (company: string, user: string) => Promise<boolean>;
}

const CARD_SURFACES: readonly string[] = ['slack', 'discord'];
/** What our own deliveries write into the history does not draw cards again: that would never end. */
const isEcho = ({ action, facts }: Entry) =>
  action === 'delivery_failed' || (action === 'bound' && typeof facts?.delivery === 'string');

export async function planFor(
  stored: StoredTicket,
  entries: readonly Entry[],
  options: PlanOptions,
): Promise<Plan> {
  const ticket = asTicket(stored);
  const at = options.now();
  const plan: Plan = { deliveries: [], cards: [], notifications: [] };
  const told = entries.filter((entry) => !entry.silent);
  for (const entry of told) {
    const { crowd, names, member } = await audienceOf(ticket, entry);
    if (!ticket.deletedAt)
      for (const conversation of ticket.conversations) {
        const posts = forConversation(ticket, entry, conversation, names, options, at);
        for (const post of posts) await leaveOutWhatWent(post, entry, conversation, plan);
        plan.deliveries.push(...posts);
      }
    plan.deliveries.push(...forPage(ticket, entry, names, options, at));
    if (!options.notifies || ticket.deletedAt) continue;
    for (const hearer of hearers(entry, ticket, crowd)) {
      const zone = hearer.person.kind === 'user' ? (member(hearer.person.id)?.timeZone ?? null) : null;
      const one = await notificationFor(ticket, entry, hearer, zone, names, options, at);
      if (one) plan.notifications.push(one);
    }
  }
  const trace = traceparent();
  const last = told.findLast((entry) => !isEcho(entry));
  if (last) plan.cards = await cardsOf(ticket, last, options, at);
  if (trace) for (const one of [...plan.deliveries, ...plan.cards, ...plan.notifications]) one.trace = trace;
  return plan;
}

const isCarded = (surface: string, channels: PlanOptions['channels']) =>
  channels.get(surface)?.kinds.includes('card') ?? CARD_SURFACES.includes(surface);

export const keyOf = (at: Record<string, string>): string => JSON.stringify(Object.entries(at).sort());

/** The conversation in which these words were said hears them already. */
function cameFrom({ surface, id, at }: Conversation, entry: Entry): boolean {
  const { conversation } = entry.facts ?? {};
  if (typeof conversation === 'string') return conversation === id;
  // What was done, not said, is news to the place where it was done as well.
  if (!entry.comment) return false;
  const { origin } = entry.comment;
  const here = at.thread ?? at.channel;
  if (origin?.startsWith(`${surface}:`) && here) return origin.split(/[:/]/).includes(here);
  return entry.via === surface;
}

const KIND: Partial<Record<Entry['action'], DeliveryKind>> = {
  comment_added: 'post',
  comment_edited: 'edit',
  comment_deleted: 'delete',
};
/** What a conversation hears besides the words of people. */
const SAID_IN_PUBLIC: readonly Entry['action'][] = ['resolved', 'reopened'];
const SAID_INSIDE: readonly Entry['action'][] = ['escalated', 'sla_warning', 'sla_breach'];

export const postId = (comment: string, conversation: string): string =>
  idFrom('post', comment, conversation);

function forConversation(
  ticket: Ticket,
  entry: Entry,
  conversation: Conversation,
  names: Names,
  { channels }: PlanOptions,
  at: Date,
): StoredDelivery[] {
  const isOpen = conversation.audience === 'public';
  const file = fileOf(entry);
  const isNews = (isOpen ? SAID_IN_PUBLIC : SAID_INSIDE).includes(entry.action) || file;
  const kind = KIND[entry.action] ?? (isNews ? 'post' : null);
  const event = eventOf(entry) ?? 'updated';
  if (!kind || cameFrom(conversation, entry)) return [];
  if (isOpen && !entry.comment && !file && entry.by.id === ticket.requester.id) return [];
  const message = messageFor(kind, ticket, entry, isOpen, event, names);
  if (!message) return [];
  const post = postId(entry.comment?.id ?? file?.id ?? entry._id, conversation.id);
  const { surface } = conversation;
  const to: Destination = { conversation: conversation.id, at: conversation.at };
  return [
    delivery(channels.get(surface), {
      _id: kind === 'post' ? post : idFrom(kind, entry._id, conversation.id),
      ticket,
      entry: entry._id,
      surface,
      to,
      message,
      lane: `${ticket._id}/${conversation.id}`,
      order: entry.seq,
      original: kind === 'post' ? null : post,
      at,
    }),
  ];
}

/** A file that went there by itself does not go again with the words that name it later. */
async function leaveOutWhatWent(
  { message }: StoredDelivery,
  entry: Entry,
  { id }: Conversation,
  { deliveries }: Plan,
): Promise<void> {
  if (!entry.comment || !message.attachments.length) return;
  const ids = message.attachments.map((file) => postId(file, id));
  const filed = await deliveryCollection()
    .find({ _id: { $in: ids } }, { projection: { _id: 1 } })
    .toArray();
  const went = new Set([...filed, ...deliveries].map((one) => one._id));
  message.attachments = message.attachments.filter((_, at) => !went.has(ids[at] ?? ''));
}

/** The step of an escalation may page a channel (sla/duties): `slack:<workspace>:<channel>`. */
function forPage(
  ticket: Ticket,
  entry: Entry,
  names: Names,
  { channels }: PlanOptions,
  at: Date,
): StoredDelivery[] {
  const page = entry.action === 'escalated' ? entry.facts?.page : null;
  if (typeof page !== 'string') return [];
  const [surface = '', workspace = '', channel = ''] = page.split(':');
  const message = messageFor('post', ticket, entry, false, 'escalated', names);
  if (!message) return [];
  const _id = idFrom('page', entry._id, page);
  const to: Destination = { at: { workspace, channel } };
  const lane = `${ticket._id}/${page}`;
  const rest = { _id, ticket, entry: entry._id, surface, to, message, lane, order: entry.seq, at };
  return [delivery(channels.get(surface), rest)];
}

function messageFor(
  kind: DeliveryKind,
  ticket: Ticket,
  entry: Entry,
  isOpen: boolean,
  event: Event,
  names: Names,
): Message | null {
  if (!isOpen) {
    const news = internalNews(entry, event, ticket, names);
    return conversationMessage(kind, { audience: 'internal', entry, news });
  }
  const open = publicly(entry);
  return (
    open &&
    conversationMessage(kind, {
      audience: 'public',
      entry: open,
      news: publicNews(open, event, ticket, names),
    })
  );
}

export function delivery(
  channel: Channel | undefined,
  given: Pick<StoredDelivery, '_id' | 'entry' | 'surface' | 'to' | 'message' | 'lane' | 'order'> & {
    ticket: Pick<Ticket, '_id' | 'company' | 'desk' | 'key'> | { company: string };
    at: Date;
    original?: string | null;
    fallbackOf?: string | null;
  },
): StoredDelivery {
  const { ticket, at, original = null, fallbackOf = null, ...rest } = given;
  const of = '_id' in ticket ? ticket : null;
  const usual = rest.to.at.channel ? `${rest.to.at.workspace ?? ''}/${rest.to.at.channel}` : '';
  return {
    ...rest,
    company: ticket.company,
    desk: of?.desk || null,
    ticket: of?._id ?? null,
    ticketKey: of?.key ?? null,
    kind: rest.message.kind,
    audience: rest.message.audience,
    endpoint: `${rest.surface}:${channel?.endpoint?.(rest.to) ?? usual}`,
    state: 'pending',
    attempts: [],
    tries: 0,
    error: null,
    nextAttemptAt: at,
    fence: 0,
    unsure: false,
    lost: 0,
    done: 0,
    receipt: null,
    original,
    fallbackOf,
    createdAt: at,
    settledAt: null,
  };
}

/** One card for each conversation, and one for each room of the desk; a room's card becomes the conversation it opened. */
async function cardsOf(
  ticket: Ticket,
  last: Entry,
  options: PlanOptions,
  at: Date,
): Promise<StoredDelivery[]> {
  const { channels } = options;
  const cards = new Map<string, StoredDelivery>();
  const add = (_id: string, surface: string, audience: 'public' | 'internal', to: Destination) => {
    const card = delivery(channels.get(surface), {
      _id,
      ticket,
      entry: last._id,
      surface,
      to,
      message: cardMessage(ticket, audience, last.at),
      lane: _id,
      order: last.seq,
      at,
    });
    if (!cards.has(_id)) cards.set(_id, card);
  };
  for (const { id, surface, audience, at: place } of ticket.conversations)
    if (isCarded(surface, channels))
      add(place.card ?? idFrom('card', ticket._id, id), surface, audience, { conversation: id, at: place });
  if (!ticket.deletedAt)
    for (const [surface, channel] of channels)
      for (const room of (await channel.rooms?.(ticket)) ?? [])
        add(idFrom('card', ticket._id, surface, keyOf(room.at)), surface, room.audience, { at: room.at });
  return [...cards.values()];
}

/** Who asked is told where the ticket is talked about in public, unless that place wants no notices of ours. */
async function isToldThere(ticket: Ticket, entry: Entry): Promise<boolean> {
  const isSaid = Boolean(entry.comment ?? fileOf(entry));
  for (const { audience, surface, at } of ticket.conversations)
    if (audience === 'public' && (isSaid || !(await isSilent(ticket.company, surface, at)))) return true;
  return false;
}

async function notificationFor(
  ticket: Ticket,
  entry: Entry,
  hearer: Hearer,
  zone: string | null,
  names: Names,
  options: PlanOptions,
  at: Date,
): Promise<StoredNotification | null> {
  const { person, event, audience, isRequester } = hearer;
  const open = publicly(entry);
  if (audience === 'public' && !open) return null;
  const news =
    audience === 'public' && open
      ? publicNews(open, event, ticket, names)
      : internalNews(entry, event, ticket, names);
  const preferences = await preferencesFor(person);
  const media = mediaFor(preferences, event, { isRequester });
  const hearsThere = isRequester && (await isToldThere(ticket, entry));
  const outside: Medium[] = hearsThere ? [] : media.filter((medium) => medium !== 'in_app');
  const onCall = person.kind === 'user' && ((await options.isOnCall?.(ticket.company, person.id)) ?? false);
  const quiet = overridesQuiet(event, onCall) ? null : quietUntil(preferences.quietHours, zone, at);
  const wait = isUrgent(event) ? 0 : options.bundleMs;
  const listed = person.kind === 'user' && media.includes('in_app');
  if (!listed && !outside.length) return null;
  return {
    _id: idFrom('notification', person.kind, person.id, entry._id),
    company: ticket.company,
    person,
    ticket: ticket._id,
    event,
    audience,
    isRequester,
    news,
    at: entry.at,
    readAt: null,
    listed,
    media: outside,
    due: outside.length ? (quiet ?? new Date(at.getTime() + wait)) : null,
    digest: quiet !== null,
    bundle: null,
    bundledAt: null,
  };
}
