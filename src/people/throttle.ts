// Who guesses is slowed down: a bucket of failures that leaks with time, kept in the database, so that it holds for all
// processes and does not need Redis. Looked at before anything costly is done; only failures fill it.
import type { Ctx } from '../context.ts';
import { busy } from '../errors.ts';
import { fingerprint } from '../secrets.ts';
import { isDuplicate } from '../store.ts';
import { attemptCollection } from './model.ts';

export type Moment = Pick<Ctx, 'now'>;

/** So many at once, then one each `everyMs`. */
export interface Bucket {
  name: string;
  burst: number;
  everyMs: number;
}
export const LOGIN_ACCOUNT: Bucket = { name: 'login.account', burst: 10, everyMs: 10_000 };
export const LOGIN_ADDRESS: Bucket = { name: 'login.address', burst: 100, everyMs: 500 };
export const KEY_ADDRESS: Bucket = { name: 'key.address', burst: 300, everyMs: 200 };
export const CODE_PERSON: Bucket = { name: 'code.person', burst: 10, everyMs: 60_000 };
export const REGISTER_ADDRESS: Bucket = { name: 'register.address', burst: 30, everyMs: 5_000 };

export type Filled = readonly [bucket: Bucket, of: string];
const idOf = ([bucket, of]: Filled): string => `${bucket.name}:${fingerprint(of)}`;

/** IPv6 networks are handed out by the /64: one house, one bucket. */
export const network = (ip: string | undefined): string =>
  ip?.includes(':') && !ip.startsWith('::ffff:') ? ip.split(':').slice(0, 4).join(':') : (ip ?? 'unknown');

export async function notThrottled(ctx: Moment, buckets: readonly Filled[], sentence: string): Promise<void> {
  const now = ctx.now().getTime();
  const found = await attemptCollection()
    .find({ _id: { $in: buckets.map(idOf) } })
    .toArray();
  let wait = 0;
  for (const filled of buckets) {
    const [bucket] = filled;
    const fullUntil = found.find((one) => one._id === idOf(filled))?.emptyAt ?? 0;
    wait = Math.max(wait, fullUntil - now - (bucket.burst - 1) * bucket.everyMs);
  }
  if (wait > 0) throw busy('auth.throttled', sentence, wait / 1_000);
}

export async function countFailure(ctx: Moment, buckets: readonly Filled[]): Promise<void> {
  await Promise.all(buckets.map((filled) => fill(filled, ctx.now().getTime())));
}

async function fill(filled: Filled, now: number): Promise<void> {
  const [{ everyMs, burst }] = filled;
  const _id = idOf(filled);
  const expiresAt = new Date(now + (burst + 2) * everyMs);
  for (let attempt = 0; attempt < 3; attempt++) {
    const leaking = await attemptCollection().updateOne(
      { _id, emptyAt: { $gt: now } },
      { $inc: { emptyAt: everyMs }, $set: { expiresAt } },
    );
    if (leaking.matchedCount) return;
    try {
      await attemptCollection().updateOne(
        { _id, emptyAt: { $lte: now } },
        { $set: { emptyAt: now + everyMs, expiresAt } },
        { upsert: true },
      );
      return;
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
  }
}

export const emptyBuckets = async (buckets: readonly Filled[]): Promise<void> =>
  void (await attemptCollection().deleteMany({ _id: { $in: buckets.map(idOf) } }));

const KNOWN_DAYS = 30;
const placeId = (account: string, place: string) => `known:${fingerprint(`${account}\n${place}`)}`;

/** Whether this account signed in from there of late: then strangers elsewhere cannot lock it out. */
export const isKnownPlace = async (ctx: Moment, account: string, place: string): Promise<boolean> =>
  (await attemptCollection().findOne({ _id: placeId(account, place), expiresAt: { $gt: ctx.now() } })) !==
  null;

export async function rememberPlace(ctx: Moment, account: string, place: string): Promise<void> {
  const expiresAt = new Date(ctx.now().getTime() + KNOWN_DAYS * 86_400_000);
  try {
    await attemptCollection().updateOne(
      { _id: placeId(account, place) },
      { $set: { expiresAt, emptyAt: 0 } },
      { upsert: true },
    );
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
}
