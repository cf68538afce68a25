// What a customer sees: the tickets that they asked for, and those that they were invited to watch. Each is asked for by
// itself, for an index has the one or the other in order, never both; a page is put together out of both.
import type { Actor } from '../context.ts';
import type { Listable } from '../lists.ts';
import type { TicketRow } from './birth.ts';
import { ticketCollection } from './model.ts';

type Filter = Record<string, unknown>;

/** One for most of them: few are ever invited. No ticket is in two of them. */
export async function ownTickets({ id, company }: Actor): Promise<Filter[]> {
  const mine = { 'requester.id': id };
  const invited = await ticketCollection().findOne({ company, watchers: id }, { projection: { _id: 1 } });
  return invited ? [mine, { watchers: id, 'requester.id': { $ne: id } }] : [mine];
}

const plain = (value: unknown): number | string =>
  value instanceof Date ? value.getTime() : typeof value === 'number' ? value : String(value ?? '');

function byOrder(order: Record<string, 1 | -1>) {
  const steps = Object.entries(order) as [keyof TicketRow, 1 | -1][];
  return (a: TicketRow, b: TicketRow): number => {
    for (const [field, step] of steps) {
      const [one, other] = [a[field] ?? null, b[field] ?? null];
      if (one === null || other === null) {
        if (one !== other) return one === null ? -step : step;
      } else if (plain(one) !== plain(other)) return plain(one) < plain(other) ? -step : step;
    }
    return 0;
  };
}

/** The tickets that fit one of these, as a list may be asked of a collection. */
export function anyOf(branches: readonly Filter[]): Listable<TicketRow> {
  const tickets = ticketCollection();
  return {
    find: (filter, options) => {
      const asked = { order: {} as Record<string, 1 | -1>, skip: 0, most: 0 };
      const cursor = {
        sort: (order: Record<string, 1 | -1>) => Object.assign(asked, { order }) && cursor,
        skip: (skip: number) => Object.assign(asked, { skip }) && cursor,
        limit: (most: number) => Object.assign(asked, { most }) && cursor,
        toArray: async () => {
          const end = asked.skip + asked.most;
          const found = await Promise.all(
            branches.map((branch) =>
              tickets
                .find({ $and: [filter, branch] } as never, options)
                .sort(asked.order)
                .limit(end)
                .toArray(),
            ),
          );
          return found.flat().sort(byOrder(asked.order)).slice(asked.skip, end);
        },
      };
      return cursor;
    },
    countDocuments: async (filter) => {
      const counts = branches.map((branch) => tickets.countDocuments({ $and: [filter, branch] } as never));
      return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    },
  };
}
