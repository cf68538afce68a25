// What a surface (Slack, Discord, mail, a partner's address) has to be able to do, and what it is handed. Pure.
// A public destination can only be told words that came through `publicly` (messages.ts): the audience of a delivery
// is fixed when it is planned, and a card for the public is drawn from a ticket without its inner fields.

import type { Priority } from '../desks/desk.ts';
import type { Audience } from '../history/entry.ts';
import type { Ticket } from '../tickets/ticket.ts';
import type { StatusKind } from '../tickets/workflow.ts';

/**
 * post: a new message. edit, delete: of a message posted before (its receipt comes along). card: the ticket as it
 * stands now, drawn again in place (the receipt of the last drawing comes along, if there was one); only the newest is
 * sent. notice: for one person, about one ticket or, as a digest, several.
 */
export const DELIVERY_KINDS = ['post', 'edit', 'delete', 'card', 'notice'] as const;
export type DeliveryKind = (typeof DELIVERY_KINDS)[number];

/** Where a delivery goes: a conversation of the ticket, a room of the desk, or a person. */
export interface Destination {
  /** The ticket's conversation (Conversation.id), if it is one. */
  conversation?: string;
  /** The person, if it is for one. */
  person?: { kind: 'user' | 'contact'; id: string };
  /** What the surface needs to find the place: channel and thread, address and references. */
  at: Record<string, string>;
}

/** What everybody who may see the ticket may know of it. */
export interface TicketName {
  id: string;
  key: string;
  title: string;
  status: string;
  statusKind: StatusKind;
  priority: Priority;
}

/** One line of news: what happened, said without any surface's markup. */
export interface News {
  /** The history entry that it tells of. */
  entry: string;
  event: string;
  at: Date;
  /** Who did it, by name. */
  by: string;
  /** "Mei Chen replied" */
  headline: string;
  /** Markdown: the words of a comment; empty otherwise. */
  text: string;
  ticket: TicketName;
  attachments: string[];
}

export interface Message {
  kind: DeliveryKind;
  audience: Audience;
  /** One line, plain text. */
  title: string;
  /** Markdown. */
  text: string;
  /** Null in a digest over several tickets. */
  ticket: TicketName | null;
  /** The comment that is posted, edited or deleted. */
  comment: string | null;
  /** It is a word among agents. */
  isNote?: true;
  by: string;
  at: Date;
  attachments: string[];
  /** What a notice tells, oldest first; one for a post. */
  news: News[];
  digest?: boolean;
}

/** How the peer names what it took: enough to find, edit and delete it (`{channel, ts}`, `{messageId}`). */
export interface Receipt {
  ids: Record<string, string>;
  /** A first card opened this conversation: it is bound to the ticket. */
  opens?: { id: string; audience: Audience; at: Record<string, string> };
}

export const DELIVERY_STATES = ['pending', 'sending', 'sent', 'failed', 'skipped'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

export interface Attempt {
  at: Date;
  /** Null: it went out. */
  error: string | null;
  ms: number;
}

/** One message to one destination. The same entry, surface and destination always make the same id. */
export interface Delivery {
  _id: string;
  company: string;
  desk: string | null;
  ticket: string | null;
  ticketKey: string | null;
  /** The entry that caused it; of a card, the newest. */
  entry: string | null;
  surface: string;
  kind: DeliveryKind;
  audience: Audience;
  to: Destination;
  message: Message;
  /** Order is kept inside a lane: one ticket on one destination. */
  lane: string;
  order: number;
  /** What is capped and pauses together: a workspace's channel, a host. */
  endpoint: string;
  state: DeliveryState;
  attempts: Attempt[];
  /** Tries since it was planned or retried by hand. */
  tries: number;
  error: string | null;
  /** Not settled: when it is to be tried next, or, while it is sent, when its sender is believed dead. */
  nextAttemptAt: Date | null;
  /** Rises with each claim: only the newest claimant may record an outcome. */
  fence: number;
  /** A claim ended without an outcome: the message may be out already. */
  unsure: boolean;
  receipt: Receipt | null;
  /** Of an edit or deletion: the delivery whose message is meant. */
  original: string | null;
  /** The delivery that failed for good and that this one stands in for. */
  fallbackOf: string | null;
  createdAt: Date;
  settledAt: Date | null;
  /** The trace it belongs to (W3C traceparent). */
  trace?: string;
}

export interface Sending {
  /** Aborted when the time for one attempt is over. */
  signal: AbortSignal;
  /** Of an edit, a deletion or a card drawn before: how the peer names it. */
  original: Receipt | null;
  /**
   * Of a card: the ticket as it stands now, for the public without custom fields, clocks, links and watchers; null when
   * the ticket was deleted and its card is to be taken away. Of anything else: null.
   */
  ticket: Ticket | null;
}

export interface Channel {
  /** `slack`, `discord`, `email` ...: what Conversation.surface and Delivery.surface say. */
  readonly surface: string;
  /** What it can do; what it cannot is skipped, not failed. */
  readonly kinds: readonly DeliveryKind[];
  /**
   * Hands one message over. Throws a Refusal when it never will be taken (gone, forbidden): that is final. Anything else
   * that is thrown is a fault and tried again; `later(seconds)` when the peer said when.
   */
  send(delivery: Delivery, sending: Sending): Promise<Receipt>;
  /** An earlier attempt may have gone out: ask the peer. Without it such a delivery is sent again. */
  find?(delivery: Delivery, sending: Sending): Promise<Receipt | null>;
  /** Where this person is told personally; null when nowhere. Without it the surface tells no persons. */
  reach?(
    company: string,
    person: { kind: 'user' | 'contact'; id: string },
  ): Promise<Destination['at'] | null>;
  /** Rooms of a desk in which each of its tickets has a card. */
  rooms?(ticket: Pick<Ticket, 'company' | 'desk' | 'team' | 'private'>): Promise<Room[]>;
  /** What is capped and pauses together; the default is the whole surface. */
  endpoint?(to: Destination): string;
  /** How many at once to one endpoint; the default is 4. */
  abreast?: number;
  /** The longest that one attempt may take; at most and by default 30 s. */
  patienceMs?: number;
  /** Seconds before the second, third ... try; when they are used up it has failed for good. */
  delays?: readonly number[];
}

export interface Room {
  audience: Audience;
  at: Record<string, string>;
}

/** The peer asked for patience (429 with Retry-After): its endpoint is left alone until then, others go on. */
export class Later extends Error {
  override name = 'Later';
  readonly seconds: number;
  constructor(seconds: number, message: string) {
    super(message);
    this.seconds = seconds;
  }
}
export const later = (seconds: number, message = `asked to come back in ${seconds} s`): Later =>
  new Later(seconds, message);
