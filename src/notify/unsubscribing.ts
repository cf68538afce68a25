// The link at the foot of a notice: whoever has it may stop the mails to that person, and nothing else.
import { unknown } from '../errors.ts';
import { sameSecret, signFor } from '../secrets.ts';
import { forgetPreferences, preferenceKey } from './audience.ts';
import { preferencesCollection } from './model.ts';
import type { Person } from './recipients.ts';

export const unsubscribeToken = (kind: string, id: string): string =>
  `${kind}.${id}.${signFor('unsubscribe', `${kind}.${id}`).slice(0, 22)}`;

export async function unsubscribe(token: string): Promise<void> {
  const [kind, id] = token.split('.');
  if ((kind !== 'user' && kind !== 'contact') || !id || !sameSecret(token, unsubscribeToken(kind, id)))
    throw unknown('subscription', 'This link is not one of ours, or not whole.');
  const person: Person = { kind, id };
  await preferencesCollection().updateOne(
    { _id: preferenceKey(person) },
    { $set: { unsubscribed: true, updatedAt: new Date() }, $setOnInsert: { events: {}, quietHours: null } },
    { upsert: true },
  );
  forgetPreferences(person);
}
