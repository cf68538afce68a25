// Erasing a contact: name, addresses and numbers go from everywhere, the tickets stay. Inbound
// messages and answers that are kept for a week lose them too. Another room that keeps words of people has its own step
// here; each is repeatable, for a crash half-way has it done again.
import { eraseFromRuns } from '../automation/erasing.ts';
import { type Ctx, systemCtx } from '../context.ts';
import { conflict } from '../errors.ts';
import { emptyMessages } from '../inbox.ts';
import type { Logger } from '../log.ts';
import { eraseFromMessages } from '../notify/erasing.ts';
import { rewriteAnswers } from '../once.ts';
import { ERASED, type Erased, eraseFromTickets, withoutPerson } from '../tickets/erasing.ts';
import { note } from './audit.ts';
import { type Contact, drawContact, loadContact } from './contacts.ts';
import { contactCollection, identityCollection, mergeCollection, type StoredContact } from './model.ts';

export async function eraseContact(ctx: Ctx, id: string): Promise<Contact> {
  const contact = await loadContact(ctx, id);
  if (contact.mergedInto)
    throw conflict(
      'contact.merged',
      'This contact was merged into another: erase that one, or take them apart.',
    );
  if (!contact.erasedAt || contact.erasing)
    await contactCollection().updateOne(
      { _id: id, company: ctx.actor.company },
      { $set: { erasedAt: contact.erasedAt ?? ctx.now(), erasing: true } },
    );
  await finish(ctx, id);
  await note(ctx, 'contact.erased', id);
  return drawContact(await loadContact(ctx, id));
}

async function finish(ctx: Ctx, id: string): Promise<void> {
  const { company } = ctx.actor;
  const all = await withMerged(company, id);
  const ids = all.map((one) => one._id);
  const merges = await mergeCollection()
    .find({ company, from: { $in: ids } })
    .toArray();
  const identities = await identityCollection()
    .find({ company, 'person.id': { $in: ids } })
    .toArray();
  const named = [...all, ...identities].map((one) => one.name);
  const words = [
    ...named.filter((name) => name !== ERASED),
    ...all.flatMap((one) => [...one.emails, ...(one.phoneNumber ? [one.phoneNumber] : [])]),
    ...merges.flatMap((one) => one.emails),
  ];
  const erased: Erased = { company, ids, words: [...new Set(words)] };
  const tickets = await eraseFromTickets(erased);
  await eraseFromMessages(erased, tickets);
  await eraseFromRuns(tickets);
  await rewriteAnswers(company, (answer) => withoutPerson(answer, erased));
  const marks = [...erased.words, ...ids, ...identities.map((one) => one.externalId)];
  const seen = marks
    .filter((mark) => mark.trim().length > 2)
    .map((mark) => JSON.stringify(mark).slice(1, -1));
  await emptyMessages(company, (text) => {
    const said = text.toLowerCase();
    return seen.some((mark) => said.includes(mark.toLowerCase()));
  });
  await identityCollection().deleteMany({ company, 'person.id': { $in: ids } });
  await mergeCollection().deleteMany({ company, from: { $in: ids } });
  const blank = { name: ERASED, emails: [], phoneNumber: null, notes: null };
  const at = ctx.now();
  await contactCollection().updateMany(
    { _id: { $in: ids.filter((one) => one !== id) }, company },
    { $set: { ...blank, erasedAt: at, updatedAt: at } },
  );
  await contactCollection().updateOne(
    { _id: id, company },
    { $set: { ...blank, updatedAt: at }, $unset: { erasing: '' } },
  );
}

/** The contact, and all who were merged into it, one after the other. */
async function withMerged(company: string, id: string): Promise<StoredContact[]> {
  const found: StoredContact[] = [];
  let wave = await contactCollection().find({ _id: id, company }).toArray();
  while (wave.length && found.length < 1_000) {
    found.push(...wave);
    wave = await contactCollection()
      .find({ company, mergedInto: { $in: wave.map((one) => one._id) } })
      .toArray();
  }
  return found;
}

/** After a crash: what was begun is done. */
export async function finishErasures(log: Logger): Promise<void> {
  for (const contact of await contactCollection().find({ erasing: true }).toArray())
    await finish(systemCtx({ log }, contact.company), contact._id);
}
