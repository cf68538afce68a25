// Every inbound message has a key, and the second one with the same key gets the answer of the first. The work runs
// under the key as its cause: what it creates has ids made from it, and what it changes carries it, so that work which
// died half-way is done again without a second effect.
import { randomUUID } from 'node:crypto';
import { Schema } from 'mongoose';
import type { Ctx } from './context.ts';
import { conflict, Refusal } from './errors.ts';
import { isDuplicate, plainModel } from './store.ts';
import type { Table } from './table.ts';

interface Receipt {
  _id: string;
  owner: string;
  state: 'running' | 'done' | 'failed';
  /** While it runs: until when its owner may be believed alive. */
  until: Date;
  at: Date;
  fingerprint?: string;
  answer?: unknown;
}

const KEPT_SECONDS = 8 * 24 * 3600;
const LEASE_MS = 5_000;

const schema = new Schema(
  { _id: String, at: Date },
  { collection: 'receipts', strict: false, versionKey: false },
);
schema.index({ at: 1 }, { expireAfterSeconds: KEPT_SECONDS });
const model = plainModel('Receipt', schema);
const receipts = () => model.collection as Table<Receipt>;

export interface Once<T> {
  answer: T;
  replayed: boolean;
}

export async function once<T>(
  ctx: Ctx,
  key: string,
  work: (ctx: Ctx) => Promise<T>,
  fingerprint?: string,
): Promise<Once<T>> {
  const _id = `${ctx.actor.company}:${key}`;
  const owner = randomUUID();
  const lease = () => new Date(Date.now() + LEASE_MS);
  let redo = false;
  try {
    await receipts().insertOne({
      _id,
      owner,
      state: 'running',
      until: lease(),
      at: new Date(),
      ...(fingerprint ? { fingerprint } : {}),
    });
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    const before = await receipts().findOne({ _id });
    if (before?.fingerprint && fingerprint && before.fingerprint !== fingerprint)
      throw new Refusal(
        'refused',
        'idempotency.key_reused',
        'This idempotency key was used before, with another request.',
      );
    if (before?.state === 'done') return { answer: before.answer as T, replayed: true };
    if (before && before.state === 'running' && before.until.getTime() > Date.now()) throw inFlight();
    const taken = await receipts().updateOne(
      { _id, ...(before ? { owner: before.owner, until: before.until } : {}) },
      {
        $set: {
          owner,
          state: 'running',
          until: lease(),
          at: new Date(),
          ...(fingerprint ? { fingerprint } : {}),
        },
      },
      { upsert: before === null },
    );
    if (taken.matchedCount + taken.upsertedCount !== 1) throw inFlight();
    redo = true;
  }
  const renewal = setInterval(() => {
    receipts()
      .updateOne({ _id, owner }, { $set: { until: lease() } })
      .catch(() => undefined);
  }, LEASE_MS / 3);
  try {
    const answer = await work({ ...ctx, cause: key, redo });
    await receipts().updateOne({ _id, owner }, { $set: { state: 'done', answer } });
    return { answer, replayed: false };
  } catch (error) {
    const forgettable = error instanceof Refusal && error.kind === 'invalid';
    await receipts()
      .updateOne(
        { _id, owner },
        {
          $set: { state: 'failed', until: new Date(0) },
          ...(forgettable ? { $unset: { fingerprint: '' } } : {}),
        },
      )
      .catch(() => undefined);
    throw error;
  } finally {
    clearInterval(renewal);
  }
}

const inFlight = () =>
  conflict('idempotency.in_flight', 'The first request with this key is still being worked on.', {
    retryAfter: 1,
  });

/** For the erasure of a person: the answers of a company that are kept for repeated requests, written anew. */
export async function rewriteAnswers(company: string, rewrite: <T>(answer: T) => T): Promise<void> {
  const ofCompany = { _id: { $gte: `${company}:`, $lt: `${company};` }, state: 'done' };
  for await (const { _id, owner, answer } of receipts().find(ofCompany)) {
    const after = rewrite(answer);
    if (JSON.stringify(after) !== JSON.stringify(answer))
      await receipts().updateOne({ _id, owner }, { $set: { answer: after } });
  }
}
