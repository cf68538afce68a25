// Messages that a sender was told are safe. Storing one is a single write, after which it may be acknowledged; its work
// is done at once by whoever stored it, and again by any process if that one died or failed. The key is the sender's
// own (event id, delivery id): the same message twice is one row, hence one effect.
import { Schema } from 'mongoose';
import { together } from './batch.ts';
import { Refusal } from './errors.ts';
import { insertsTogether } from './inserts.ts';
import type { Logger } from './log.ts';
import { signal } from './signals.ts';
import { isDuplicate, plainModel } from './store.ts';
import type { Table } from './table.ts';

export interface Inbound<Payload = unknown> {
  _id: string;
  kind: string;
  /** Whose it is. */
  company: string;
  payload: Payload;
  state: 'waiting' | 'done' | 'failed';
  attempts: number;
  /** Not before; while somebody works on it, the time at which they are believed dead. */
  nextAt: Date;
  at: Date;
  doneAt?: Date;
  error?: string;
  /** Messages of one lane (a thread) are worked on in order of arrival by the process that took them. */
  lane?: string;
}

/** `redo` is true when an earlier try may have had its effect. */
export type InboundWork<Payload> = (message: Inbound<Payload>, redo: boolean) => Promise<void>;

const LEASE_MS = 30_000;
const MOST_ATTEMPTS = 12;
const KEPT_SECONDS = 8 * 24 * 3600;

const schema = new Schema(
  { _id: String, doneAt: Date },
  { collection: 'inbox', strict: false, versionKey: false },
);
schema.index({ state: 1, nextAt: 1 });
schema.index({ doneAt: 1 }, { expireAfterSeconds: KEPT_SECONDS });
schema.index({ company: 1, doneAt: 1 });
const model = plainModel('Inbound', schema);
const inbox = () => model.collection as Table<Inbound>;

const works = new Map<string, InboundWork<unknown>>();
const lanes = new Map<string, Promise<void>>();
const underWay = new Set<Promise<void>>();
/** Taken here and not done yet: a long queue is no reason to begin again. */
const taken = new Set<string>();

/** So many trips at once, so that a slow store makes nobody wait for the trip before theirs. */
const AT_ONCE = { abreast: 16 };
/** A burst costs few trips. */
const insertTogether = insertsTogether(inbox, AT_ONCE);
const doneTogether = together<string, true>(async (ids) => {
  await inbox().updateMany({ _id: { $in: ids } }, { $set: { state: 'done', doneAt: new Date() } });
  return ids.map(() => true as const);
});

/** An adapter says how messages of its kind are worked on. */
export function receive<Payload>(kind: string, work: InboundWork<Payload>): void {
  works.set(kind, work as InboundWork<unknown>);
}

/** Stores a message. Returns false when it was here before (already safe: acknowledge it all the same). */
export async function take(
  log: Logger,
  kind: string,
  key: string,
  payload: unknown,
  { company, lane }: { company: string; lane?: string | undefined },
): Promise<boolean> {
  const at = new Date();
  const message: Inbound = {
    _id: `${kind}:${key}`,
    kind,
    company,
    payload,
    state: 'waiting',
    attempts: 0,
    nextAt: new Date(at.getTime() + LEASE_MS),
    at,
    ...(lane ? { lane } : {}),
  };
  try {
    await insertTogether(message);
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
  signal('inbound', { kind });
  start(log, message, false);
  return true;
}

function start(log: Logger, message: Inbound, redo: boolean): void {
  if (taken.has(message._id)) return;
  taken.add(message._id);
  const before = message.lane ? lanes.get(message.lane) : undefined;
  const job = (before ?? Promise.resolve()).then(() => work(log, message, redo));
  underWay.add(job);
  if (message.lane) lanes.set(message.lane, job);
  void job.finally(() => {
    underWay.delete(job);
    taken.delete(message._id);
    if (message.lane && lanes.get(message.lane) === job) lanes.delete(message.lane);
  });
}

async function work(log: Logger, message: Inbound, redo: boolean): Promise<void> {
  const { _id, kind } = message;
  try {
    const how = works.get(kind);
    if (!how) throw new Error(`nobody receives ${kind} here`);
    await how(message, redo);
    await doneTogether(_id);
  } catch (error) {
    const attempts = message.attempts + 1;
    const final =
      error instanceof Refusal ? error.kind !== 'busy' && error.kind !== 'away' : attempts >= MOST_ATTEMPTS;
    const wait = Math.min(1_000 * 2 ** attempts, 600_000) * (0.75 + Math.random() / 2);
    const words = (error as Error).message;
    if (!(error instanceof Refusal))
      log.error({ kind, key: _id, attempts, err: error }, 'an inbound message failed');
    await inbox()
      .updateOne(
        { _id },
        {
          $set: {
            attempts,
            error: words,
            nextAt: new Date(Date.now() + wait),
            ...(final ? { state: 'failed', doneAt: new Date() } : {}),
          },
        },
      )
      .catch(() => undefined);
  }
}

/** Takes up what others left: died half-way, or due for another try. Returns how many. */
export async function sweepInbox(log: Logger, limit = 50): Promise<number> {
  let found = 0;
  for (; found < limit; found++) {
    const message = await inbox().findOneAndUpdate(
      { state: 'waiting', nextAt: { $lte: new Date() }, kind: { $in: [...works.keys()] } },
      { $set: { nextAt: new Date(Date.now() + LEASE_MS) } },
      { sort: { nextAt: 1 }, returnDocument: 'after' },
    );
    if (!message) break;
    start(log, message, true);
  }
  return found;
}

/** Waits for what this process has under way. */
export async function settleInbox(): Promise<void> {
  while (underWay.size) await Promise.allSettled(underWay);
}

/**
 * For the erasure of a person: messages to their company that were worked on and mention them lose what they said, and stay known by
 * their key until they expire. What still waits is kept: it becomes part of a ticket first.
 */
export async function emptyMessages(company: string, mentions: (text: string) => boolean): Promise<number> {
  const over = { company, doneAt: { $gt: new Date(0) } };
  let emptied = 0;
  for await (const { _id, payload, error } of inbox().find(over)) {
    if (payload === null || !mentions(JSON.stringify([payload, error ?? '']))) continue;
    await inbox().updateOne({ _id }, { $set: { payload: null }, $unset: { error: '', lane: '' } });
    emptied++;
  }
  return emptied;
}
