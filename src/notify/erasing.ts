// Taking a person out of what was told to people: messages on their way to the person are not sent any more, and what
// was sent and kept loses the name and addresses. Seldom asked for, so notifications are looked through one by one.
import { type Erased, withoutPerson } from '../tickets/erasing.ts';
import { deliveryCollection, notificationCollection, preferencesCollection } from './model.ts';

export async function eraseFromMessages(erased: Erased, tickets: readonly string[]): Promise<void> {
  const { company, ids, words } = erased;
  const theirs = { company, 'person.id': { $in: [...ids] } };
  await notificationCollection().deleteMany(theirs);
  await preferencesCollection().deleteMany({ _id: { $in: ids.map((id) => `contact:${id}`) } });
  const reaches = (text: string) => words.some((word) => word.includes('@') && text.includes(word));
  for await (const before of deliveryCollection().find({ ticket: { $in: [...tickets] } })) {
    const { _id, company: at, desk, ticket, ticketKey, entry, lane, original, fallbackOf } = before;
    if (before.settledAt === null && reaches(JSON.stringify(before.to).toLowerCase())) {
      await deliveryCollection().deleteOne({ _id });
      continue;
    }
    const kept = { _id, company: at, desk, ticket, ticketKey, entry, original, fallbackOf };
    const own =
      before.settledAt === null ? { ...kept, lane, to: before.to, endpoint: before.endpoint } : kept;
    const after = { ...withoutPerson(before, erased), ...own };
    if (JSON.stringify(after) !== JSON.stringify(before))
      await deliveryCollection().updateOne({ _id, fence: before.fence }, { $set: without(after) });
  }
  for await (const before of notificationCollection().find({ company, ticket: { $in: [...tickets] } })) {
    const news = withoutPerson(before.news, erased);
    if (JSON.stringify(news) !== JSON.stringify(before.news))
      await notificationCollection().updateOne({ _id: before._id }, { $set: { news } });
  }
}

const without = <T extends { _id: string }>({ _id: _, ...fields }: T): Omit<T, '_id'> => fields;
