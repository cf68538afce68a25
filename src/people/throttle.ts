// Who guesses is slowed down: a bucket of failures that leaks with time, kept in the database, so that it holds for all
// processes and does not need Redis. Looked at before anything costly is done; only failures fill it.
import type { Ctx } from '../context.ts';
import { busy } from '../errors.ts';
import { fingerprint } from '../secrets.ts';
import { isDuplicate } from '../store.ts';
import { attemptCollection, type StoredAttempt } from './model.ts';

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
export const CONFIRM_PERSON: Bucket = { name: 'confirm.person', burst: 10, everyMs: 10_000 };
export const REGISTER_ADDRESS: Bucket = { name: 'register.address', burst: 30, everyMs: 5_000 };
/** Accounts that were really made: many people may sit behind one address. */
export const REGISTERED_ADDRESS: Bucket = { name: 'registered.address', burst: 300, everyMs: 2_000 };

export type Filled = readonly [bucket: Bucket, of: string];
const idOf = ([bucket, of]: Filled): string => `${bucket.name}:${fingerprint(of)}`;

/** IPv6 networks are handed out by the /64: one house, one bucket. */
export const network = (ip: string | undefined): string =>
  ip?.includes(':') && !ip.startsWith('::ffff:') ? ip.split(':').slice(0, 4).join(':') : (ip ?? 'unknown');

/** What is known of some buckets, and of a place, in one look. */
async function look(buckets: readonly Filled[], more: string[] = []) {
  const ids = [...buckets.map(idOf), ...more];
  const found = await attemptCollection()
    .find({ _id: { $in: ids } })
    .toArray();
  return new Map(found.map((one) => [one._id, one]));
}

export async function notThrottled(ctx: Moment, buckets: readonly Filled[], sentence: string): Promise<void> {
  refuse(ctx, buckets, await look(buckets), sentence);
}

function refuse(
  ctx: Moment,
  buckets: readonly Filled[],
  found: Map<string, StoredAttempt>,
  sentence: string,
): void {
  const now = ctx.now().getTime();
  const waits = buckets.map((filled) => {
    const [{ burst, everyMs }] = filled;
    return (found.get(idOf(filled))?.emptyAt ?? 0) - now - (burst - 1) * everyMs;
  });
  const wait = Math.max(...waits);
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

/**
 * The buckets that count for signing in. A place from which the account signed in of late has one of its own, which
 * strangers elsewhere cannot fill. Throws when they are full; says whether there is anything to empty afterwards.
 */
export async function welcomeToSignIn(
  ctx: Moment,
  account: string,
  place: string,
  sentence: string,
): Promise<{ buckets: Filled[]; isKnown: boolean; hasFailures: boolean }> {
  const own: Filled = [LOGIN_ACCOUNT, `${account}\n${place}`];
  const strangers: Filled[] = [
    [LOGIN_ACCOUNT, account],
    [LOGIN_ADDRESS, place],
  ];
  const known = placeId(account, place);
  const found = await look([own, ...strangers], [known]);
  const isKnown = (found.get(known)?.expiresAt.getTime() ?? 0) > ctx.now().getTime();
  const buckets = isKnown ? [own] : strangers;
  refuse(ctx, buckets, found, sentence);
  const hasFailures = buckets.some((one) => one[0] === LOGIN_ACCOUNT && found.has(idOf(one)));
  return { buckets, isKnown, hasFailures };
}

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
