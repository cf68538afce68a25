// What became of every outgoing message, and sending one again.
import { z } from 'zod';
import { storeNow } from '../clock.ts';
import type { Ctx } from '../context.ts';
import { conflict, forbidden, unknown } from '../errors.ts';
import { may } from '../people/access.ts';
import { signal } from '../signals.ts';
import { find } from '../tickets/find.ts';
import { DELIVERY_KINDS, DELIVERY_STATES } from './channel.ts';
import { deliveryCollection, type StoredDelivery } from './model.ts';

const MOST = 500;

export const deliveryShape = z.object({
  id: z.string(),
  ticketId: z.string().nullable(),
  ticketKey: z.string().nullable(),
  entryId: z.string().nullable(),
  surface: z.string(),
  kind: z.enum(DELIVERY_KINDS),
  audience: z.enum(['public', 'internal']),
  to: z.object({
    conversationId: z.string().nullable(),
    personKind: z.enum(['user', 'contact']).nullable(),
    personId: z.string().nullable(),
  }),
  title: z.string(),
  text: z.string(),
  state: z.enum(DELIVERY_STATES),
  error: z.string().nullable(),
  attempts: z.array(z.object({ at: z.date(), error: z.string().nullable(), ms: z.number() })),
  nextAttemptAt: z.date().nullable(),
  fallbackOfId: z.string().nullable(),
  createdAt: z.date(),
  settledAt: z.date().nullable(),
});
export type DrawnDelivery = z.output<typeof deliveryShape>;

export const drawDelivery = (stored: StoredDelivery): DrawnDelivery => ({
  id: stored._id,
  ticketId: stored.ticket,
  ticketKey: stored.ticketKey,
  entryId: stored.entry,
  surface: stored.surface,
  kind: stored.kind,
  audience: stored.audience,
  to: {
    conversationId: stored.to.conversation ?? null,
    personKind: stored.to.person?.kind ?? null,
    personId: stored.to.person?.id ?? null,
  },
  title: stored.message.title,
  text: stored.message.text,
  state: stored.state,
  error: stored.error,
  attempts: stored.attempts.map(({ at, error, ms }) => ({ at, error, ms })),
  nextAttemptAt: stored.nextAttemptAt,
  fallbackOfId: stored.fallbackOf,
  createdAt: stored.createdAt,
  settledAt: stored.settledAt,
});

export async function deliveriesOf(
  ctx: Ctx,
  ref: string,
): Promise<{ items: DrawnDelivery[]; total: number }> {
  if (!may(ctx.actor, 'delivery.read')) throw forbidden('delivery.read', 'Only agents see deliveries.');
  const ticket = await find(ctx, ref);
  const found = await deliveryCollection()
    .find({ ticket: ticket._id })
    .sort({ createdAt: 1, order: 1 })
    .limit(MOST)
    .toArray();
  return { items: found.map(drawDelivery), total: found.length };
}

/** Once more, from the beginning of its patience. What is under way or still being tried is simply tried now. */
export async function retry(ctx: Ctx, id: string): Promise<DrawnDelivery> {
  if (!may(ctx.actor, 'delivery.retry'))
    throw forbidden('delivery.retry', 'Only agents send messages again.');
  const stored = await deliveryCollection().findOne({ _id: id, company: ctx.actor.company });
  if (!stored) throw unknown('delivery');
  if (stored.ticket) await find(ctx, stored.ticket);
  if (stored.state === 'sent' && stored.kind !== 'card')
    throw conflict('delivery.sent', 'This message was sent. Sending it again would say it twice.');
  if (stored.state === 'sending') return drawDelivery(stored);
  const again = await revive([id]);
  return drawDelivery(again[0] ?? stored);
}

/** Makes these due now; with them what was skipped because they had not been sent. */
export async function revive(ids: readonly string[]): Promise<StoredDelivery[]> {
  const now = storeNow();
  await deliveryCollection().updateMany(
    {
      $or: [
        { _id: { $in: [...ids] }, state: { $in: ['pending', 'failed', 'skipped'] } },
        { original: { $in: [...ids] }, state: 'skipped' },
        { _id: { $in: [...ids] }, state: 'sent', kind: 'card' },
      ],
    },
    { $set: { state: 'pending', nextAttemptAt: now, tries: 0, lost: 0, settledAt: null } },
  );
  signal('inbound', { kind: 'delivery' });
  return deliveryCollection()
    .find({ _id: { $in: [...ids] } })
    .toArray();
}

/** Of a stretch of time, those that failed for good: for replaying. */
export async function failedBetween(
  from: Date,
  to: Date,
  surface?: string,
  only: { workspace?: string; reason?: RegExp } = {},
): Promise<string[]> {
  const found = await deliveryCollection()
    .find(
      {
        createdAt: { $gte: from, $lte: to },
        state: 'failed',
        ...(surface ? { surface } : {}),
        ...(only.workspace ? { 'to.at.workspace': only.workspace } : {}),
        ...(only.reason ? { error: only.reason } : {}),
      },
      { projection: { _id: 1 } },
    )
    .sort({ createdAt: 1 })
    .toArray();
  return found.map((one) => one._id);
}

/** How many stand in each state, by surface: for whoever looks after the installation. */
export async function countByState(): Promise<{ surface: string; state: string; count: number }[]> {
  const found = await deliveryCollection()
    .aggregate<{ _id: { surface: string; state: string }; count: number }>([
      { $group: { _id: { surface: '$surface', state: '$state' }, count: { $sum: 1 } } },
    ])
    .toArray();
  return found.map(({ _id, count }) => ({ ..._id, count }));
}
