// Who is away, as those who give tickets out need to know it.
import { presenceCollection, type StoredPresence } from './model.ts';

export const isAway = ({ away, until }: Pick<StoredPresence, 'away' | 'until'>, now: Date): boolean =>
  away && (until === null || until > now);

/** Who is away now: until when, null for no end. */
export async function awayNow(company: string, now: Date): Promise<Map<string, Date | null>> {
  const found = await presencesOf(company);
  return new Map(found.filter((one) => isAway(one, now)).map(({ _id, until }) => [_id, until]));
}

export const presencesOf = (company: string): Promise<StoredPresence[]> =>
  presenceCollection().find({ company }).toArray();

/** Companies in which somebody's tickets are to be handed over. */
export async function companiesHandingOver(): Promise<string[]> {
  const found = await presenceCollection()
    .find({ handingOver: { $in: ['all', 'desks'] } }, { projection: { company: 1 } })
    .toArray();
  return [...new Set(found.map(({ company }) => company))];
}

/** All is handed over: what is given to them from now on by hand stays with them. */
export async function handedOver({ _id, updatedAt }: StoredPresence): Promise<void> {
  await presenceCollection().updateOne({ _id, updatedAt }, { $set: { handingOver: null } });
}
