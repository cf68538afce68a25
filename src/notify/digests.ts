// Notifications that are due by mail or chat become messages: what happened on one ticket within a minute is one
// message, what fell into somebody's quiet hours is one digest. Whoever takes notifications out marks them with a bundle
// of its own, so that each is in exactly one message; a bundle whose maker died is finished by the next sweep.
import { storeNow } from '../clock.ts';
import { idFrom, newId } from '../id.ts';
import type { Channel } from './channel.ts';
import { addDeliveries } from './deliveries.ts';
import { noticeMessage } from './messages.ts';
import { notificationCollection, type StoredDelivery, type StoredNotification } from './model.ts';
import { delivery } from './plan.ts';

const BATCH = 500;
const BELIEVED_DEAD_MS = 10_000;
const waiting = { $type: 'date' } as const;

type Slim = Pick<
  StoredNotification,
  '_id' | 'company' | 'person' | 'ticket' | 'digest' | 'bundle' | 'bundledAt'
>;

/** Makes the messages that are due by now. */
export async function bundleDue(channels: ReadonlyMap<string, Channel>): Promise<StoredDelivery[]> {
  const now = storeNow();
  const due: Slim[] = await notificationCollection()
    .find(
      { due: { ...waiting, $lte: now } },
      { projection: { company: 1, person: 1, ticket: 1, digest: 1, bundle: 1, bundledAt: 1 } },
    )
    .sort({ due: 1, _id: 1 })
    .limit(BATCH)
    .toArray();
  const bundles = new Set<string>();
  const groups = new Map<string, Slim>();
  const taken = new Set<string>();
  const isAbandoned = (one: Slim) => now.getTime() - (one.bundledAt?.getTime() ?? 0) > BELIEVED_DEAD_MS;
  for (const one of due) {
    const group = `${one.person.kind}:${one.person.id}/${one.digest ? '' : one.ticket}`;
    if (!one.bundle) groups.set(group, groups.get(group) ?? one);
    else if (isAbandoned(one)) bundles.add(one.bundle);
    else taken.add(group);
  }
  for (const [group, one] of groups) {
    if (taken.has(group)) continue;
    const bundle = await take(one, now);
    if (bundle) bundles.add(bundle);
  }
  const made: StoredDelivery[] = [];
  for (const bundle of bundles) made.push(...(await finish(bundle, channels, now)));
  return made;
}

/** The oldest of a group is its lock: whoever gets it takes the others along, so that they stay together. */
async function take(first: Slim, now: Date): Promise<string | null> {
  const bundle = newId(now);
  const mark = { $set: { bundle, bundledAt: now } };
  const locked = await notificationCollection().updateOne(
    { _id: first._id, bundle: null, due: waiting },
    mark,
  );
  if (locked.modifiedCount === 0) return null;
  await notificationCollection().updateMany(
    {
      'person.id': first.person.id,
      'person.kind': first.person.kind,
      digest: first.digest,
      ...(first.digest ? { due: { ...waiting, $lte: now } } : { ticket: first.ticket, due: waiting }),
      bundle: null,
    },
    mark,
  );
  return bundle;
}

async function finish(
  bundle: string,
  channels: ReadonlyMap<string, Channel>,
  now: Date,
): Promise<StoredDelivery[]> {
  const told = await notificationCollection()
    .find({ bundle, due: waiting })
    .sort({ at: 1, _id: 1 })
    .toArray();
  const first = told[0];
  const made: StoredDelivery[] = [];
  for (const medium of first ? new Set(told.flatMap((one) => one.media)) : []) {
    const channel = channels.get(medium);
    const at = first && (await channel?.reach?.(first.company, first.person));
    if (!first || !at) continue;
    const news = told.filter((one) => one.media.includes(medium)).map((one) => one.news);
    const audience = told.some((one) => one.audience === 'internal') ? 'internal' : 'public';
    const message = noticeMessage(news, audience, first.digest);
    const { ticket } = message;
    const trace = told.findLast((one) => one.media.includes(medium))?.trace;
    made.push({
      ...delivery(channel, {
        _id: idFrom('notice', bundle, medium),
        ticket: ticket
          ? { _id: ticket.id, company: first.company, desk: '', key: ticket.key }
          : { company: first.company },
        entry: news.at(-1)?.entry ?? null,
        surface: medium,
        to: { person: first.person, at },
        message,
        lane: `${ticket?.id ?? bundle}/${medium}:${first.person.id}`,
        order: now.getTime(),
        at: now,
      }),
      ...(trace ? { trace } : {}),
    });
  }
  await addDeliveries(made);
  await notificationCollection().updateMany({ bundle }, { $set: { due: null } });
  return made;
}

/** Everything that waits to be bundled is due now (for whoever drains). */
export const countWaiting = (now: Date): Promise<number> =>
  notificationCollection().countDocuments({ due: { ...waiting, $lte: now } });
