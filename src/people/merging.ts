// Two contacts turn out to be one person: addresses, identities and tickets move to the one that stays. What moved is
// written down first, so that a merge that broke off is finished, and any merge can be undone exactly.
import { z } from 'zod';
import { type Ctx, systemCtx } from '../context.ts';
import { conflict, invalid, unlessGone } from '../errors.ts';
import { idFrom, newId } from '../id.ts';
import type { Logger } from '../log.ts';
import { change, type Decide } from '../tickets/change.ts';
import { requestedBy } from '../tickets/holdings.ts';
import type { Requester } from '../tickets/ticket.ts';
import { note } from './audit.ts';
import { type Contact, drawContact, loadContact } from './contacts.ts';
import {
  contactCollection,
  identityCollection,
  mergeCollection,
  type StoredContact,
  type StoredMerge,
} from './model.ts';

export const mergeInput = z.strictObject({
  into: z.string().max(64).meta({ description: 'The contact that stays.' }),
});

/** Returns the contact that stays. */
export async function mergeContact(ctx: Ctx, id: string, into: string): Promise<Contact> {
  const [from, to] = [await loadContact(ctx, id), await loadContact(ctx, into)];
  if (id === into)
    throw invalid('contact.merge_self', 'A contact cannot be merged into itself.', [
      { path: 'into', message: 'is the same contact' },
    ]);
  for (const one of [from, to])
    if (one.mergedInto || one.erasedAt)
      throw conflict('contact.gone', `${one.name} was merged or erased already.`);
  const { company } = ctx.actor;
  const at = ctx.now();
  const identities = await identityCollection().find({ company, 'person.id': id }).toArray();
  const merge: StoredMerge = {
    _id: newId(at),
    company,
    from: id,
    into,
    emails: from.emails,
    identities: identities.map((one) => one._id),
    tickets: [],
    state: 'merging',
    by: ctx.actor.id,
    at,
  };
  await mergeCollection().insertOne(merge);
  await claim(ctx, merge);
  await letGoIfCrossed(ctx, merge);
  await finishMerge(ctx, merge);
  await note(ctx, 'contact.merged', id, { into });
  return drawContact(await loadContact(ctx, into));
}

const requesterOf = (contact: StoredContact): Requester => ({
  kind: 'contact',
  id: contact._id,
  name: contact.name,
  email: contact.emails[0] ?? null,
});

async function claim(ctx: Ctx, merge: StoredMerge): Promise<void> {
  const { company, from, into } = merge;
  const claimed = await contactCollection().updateOne(
    { _id: from, company, mergedInto: { $in: [null, into] }, erasedAt: null },
    { $set: { mergedInto: into, updatedAt: ctx.now() } },
  );
  if (!claimed.matchedCount) {
    await mergeCollection().updateOne({ _id: merge._id }, { $set: { state: 'undone' } });
    throw conflict('contact.gone', 'This contact was merged or erased already.');
  }
}

/** Two people merge two contacts into each other, or one of them into a third: whoever claims last sees the other. */
async function letGoIfCrossed(ctx: Ctx, merge: StoredMerge): Promise<void> {
  const { company, from, into } = merge;
  const to = await loadContact(ctx, into);
  if (!to.mergedInto && !to.erasedAt) return;
  await contactCollection().updateOne(
    { _id: from, company, mergedInto: into },
    { $set: { mergedInto: null, updatedAt: ctx.now() } },
  );
  await mergeCollection().updateOne({ _id: merge._id }, { $set: { state: 'undone' } });
  throw conflict('contact.gone', `${to.name} was just merged or erased.`);
}

async function finishMerge(ctx: Ctx, merge: StoredMerge): Promise<void> {
  const { company, from, into } = merge;
  await claim(ctx, merge);
  const emails = [...new Set([...merge.emails, ...(await loadContact(ctx, from)).emails])];
  await mergeCollection().updateOne({ _id: merge._id }, { $set: { emails } });
  await contactCollection().updateOne({ _id: from, company, mergedInto: into }, { $set: { emails: [] } });
  await contactCollection().updateOne(
    { _id: into, company },
    { $addToSet: { emails: { $each: emails } }, $set: { updatedAt: ctx.now() } },
  );
  await identityCollection().updateMany(
    { _id: { $in: merge.identities }, 'person.id': from },
    { $set: { person: { kind: 'contact', id: into } } },
  );
  const to = requesterOf(await loadContact(ctx, into));
  let ids = await requestedBy(company, from);
  while (ids.length) {
    await mergeCollection().updateOne({ _id: merge._id }, { $addToSet: { tickets: { $each: ids } } });
    for (const ticket of ids) await move(ctx, `merge:${merge._id}`, ticket, from, to);
    ids = await requestedBy(company, from, ids.at(-1));
  }
  await mergeCollection().updateOne({ _id: merge._id }, { $set: { state: 'merged' } });
}

/** One silent entry: nobody is told that a name on a ticket was put right. */
async function move(ctx: Ctx, cause: string, ticket: string, from: string, to: Requester): Promise<void> {
  const system = { ...systemCtx(ctx, ctx.actor.company), cause };
  // The same person still: whoever filed it themselves did.
  const decide: Decide = ({ requester, createdBy }) =>
    requester.id === from
      ? {
          action: 'update',
          set: { requester: to, ...(createdBy === null ? { createdBy } : {}) },
          silent: true,
        }
      : null;
  await change(system, ticket, decide, { follow: false }).catch(unlessGone);
}

/** Takes the last merge of this contact into another apart: what moved then goes back, what came later stays. */
export async function unmergeContact(ctx: Ctx, id: string): Promise<Contact> {
  const { company } = ctx.actor;
  const contact = await loadContact(ctx, id);
  const merge = await mergeCollection().findOneAndUpdate(
    { company, from: id, into: contact.mergedInto ?? '', state: { $in: ['merging', 'merged', 'unmerging'] } },
    { $set: { state: 'unmerging' } },
    { returnDocument: 'after', sort: { at: -1 } },
  );
  if (!merge || contact.erasedAt)
    throw conflict('contact.not_merged', 'This contact was not merged into another.');
  await finishUnmerge(ctx, merge);
  await note(ctx, 'contact.unmerged', id, { from: merge.into });
  return drawContact(await loadContact(ctx, id));
}

async function finishUnmerge(ctx: Ctx, merge: StoredMerge): Promise<void> {
  const { company, from, into } = merge;
  const at = ctx.now();
  const others = await contactCollection()
    .find({ company, emails: { $in: merge.emails }, _id: { $nin: [from, into] } })
    .toArray();
  const back = merge.emails.filter((email) => !others.some((one) => one.emails.includes(email)));
  await contactCollection().updateOne(
    { _id: into, company },
    { $pull: { emails: { $in: merge.emails } }, $set: { updatedAt: at } },
  );
  await contactCollection().updateOne(
    { _id: from, company, mergedInto: into },
    { $set: { mergedInto: null, emails: back, updatedAt: at } },
  );
  await identityCollection().updateMany(
    { _id: { $in: merge.identities }, 'person.id': into },
    { $set: { person: { kind: 'contact', id: from } } },
  );
  const to = requesterOf(await loadContact(ctx, from));
  for (const ticket of merge.tickets) await move(ctx, `unmerge:${merge._id}`, ticket, into, to);
  await mergeCollection().updateOne({ _id: merge._id }, { $set: { state: 'undone' } });
}

/** After a crash: what was begun is done. */
export async function finishMerges(log: Logger): Promise<void> {
  const begun = await mergeCollection()
    .find({ state: { $in: ['merging', 'unmerging'] } })
    .toArray();
  for (const merge of begun) {
    const ctx = systemCtx({ log, request: idFrom('merge', merge._id) }, merge.company);
    await (merge.state === 'merging' ? finishMerge(ctx, merge) : finishUnmerge(ctx, merge));
  }
}
