// When a delivery has failed for good: it is told in the history, once, and once another way to the person is tried.
import { systemCtx } from '../context.ts';
import { unlessGone } from '../errors.ts';
import { idFrom } from '../id.ts';
import type { Logger } from '../log.ts';
import { change } from '../tickets/change.ts';
import { find, ticketNow } from '../tickets/find.ts';
import type { Conversation, Ticket } from '../tickets/ticket.ts';
import type { Channel, Delivery, Receipt } from './channel.ts';
import { addDeliveries } from './deliveries.ts';
import { openTicket } from './messages.ts';
import type { StoredDelivery } from './model.ts';
import { delivery as newDelivery } from './plan.ts';

type Channels = ReadonlyMap<string, Channel>;
const FALLBACK = 'email';
const MOST_LOST = 3;

/** Whoever tried to send it died, again and again. */
export const isDeadly = ({ lost }: StoredDelivery): boolean => lost >= MOST_LOST;

/** Safe to do again: the fallback has an id of its own, the entry a cause. Returns the fallback, if there is one. */
export async function mourn(
  log: Logger,
  channels: Channels,
  failed: StoredDelivery,
  error: string,
): Promise<StoredDelivery | null> {
  const ticket = await ticketOf(log, failed);
  const fallback = ticket && (await fallbackFor(channels, failed, ticket));
  if (fallback) await addDeliveries([fallback]);
  if (ticket && failed.kind !== 'card') {
    const { _id, surface, kind } = failed;
    const ctx = { ...systemCtx({ log }, failed.company), cause: `delivery:${_id}`, redo: true };
    const facts = { delivery: _id, surface, kind, error, fallback: fallback?.surface ?? null };
    const sentence = `The message could not be delivered by ${surface}: ${error}`;
    await change(ctx, ticket._id, () => ({
      action: 'delivery_failed',
      facts: { ...facts, sentence },
    }));
  }
  return fallback ?? null;
}

async function ticketOf(log: Logger, { company, ticket }: Delivery): Promise<Ticket | null> {
  if (!ticket) return null;
  return find(systemCtx({ log }, company), ticket).catch(unlessGone);
}

async function fallbackFor(
  channels: Channels,
  failed: StoredDelivery,
  ticket: Ticket,
): Promise<StoredDelivery | null> {
  if (failed.surface === FALLBACK || failed.fallbackOf) return null;
  const person =
    failed.kind === 'notice'
      ? failed.to.person
      : failed.kind === 'post' && failed.audience === 'public' && isOnlyWay(ticket, failed)
        ? { kind: ticket.requester.kind, id: ticket.requester.id }
        : undefined;
  if (!person) return null;
  // A thread may be gone while the person is still there; but what kills its sender would kill the next one.
  const again = failed.kind === 'post' && !isDeadly(failed);
  for (const surface of again ? [FALLBACK, failed.surface] : [FALLBACK]) {
    const channel = channels.get(surface);
    const at = await channel?.reach?.(failed.company, person);
    if (!at) continue;
    return newDelivery(channel, {
      _id: idFrom('fallback', failed._id),
      ticket,
      entry: failed.entry,
      surface,
      to: { person, at },
      message: failed.message,
      lane: `${ticket._id}/${surface}:${person.id}`,
      order: failed.order,
      fallbackOf: failed._id,
      at: failed.nextAttemptAt ?? failed.createdAt,
    });
  }
  return null;
}

const isOnlyWay = ({ conversations }: Ticket, failed: Delivery) =>
  !conversations.some(
    ({ id, audience, surface }) =>
      audience === 'public' && id !== failed.to.conversation && surface !== failed.surface,
  );

/** A first card opened a conversation: from now on it belongs to the ticket. */
export async function bindOpened(
  log: Logger,
  { _id, company, ticket, surface }: StoredDelivery,
  opens: NonNullable<Receipt['opens']>,
): Promise<void> {
  if (!ticket) return;
  const ctx = { ...systemCtx({ log }, company), cause: `delivery:${_id}` };
  const conversation: Conversation = {
    id: opens.id,
    surface,
    audience: opens.audience,
    at: { ...opens.at, card: _id },
  };
  await change(ctx, ticket, ({ conversations }) =>
    conversations.some((one) => one.id === opens.id)
      ? null
      : {
          action: 'bound',
          set: { conversations: [...conversations, conversation] },
          facts: { delivery: _id },
        },
  ).catch(unlessGone);
}

/** The ticket for a card, as the card's audience may see it; null when it is gone. */
export async function ticketForCard({
  ticket: id,
  company,
  audience,
}: StoredDelivery): Promise<Ticket | null> {
  const ticket = id && (await ticketNow(id));
  if (!ticket || ticket.company !== company) return null;
  return audience === 'public' ? openTicket(ticket) : ticket;
}
