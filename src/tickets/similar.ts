// Tickets that speak of the same: by the rarest words of the title that other tickets share.
import type { Ctx } from '../context.ts';
import { find } from './find.ts';
import { filterOf } from './lists.ts';
import { ticketCollection } from './model.ts';
import { COMMON, rarity, UNSHOWN } from './search.ts';
import { searchWords, type Ticket } from './ticket.ts';

const MOST_WORDS = 8;
const KEYS = 4;
const LOOKED_AT = 100;
const MOST = 10;

export async function similar(ctx: Ctx, ref: string): Promise<{ ticket: Ticket; score: number }[]> {
  const ticket = await find(ctx, ref);
  const { filter } = await filterOf(ctx, {});
  const { company } = ctx.actor;
  const words = searchWords([ticket.title, ...ticket.tags], MOST_WORDS);
  const weight = new Map(
    [...(await rarity(company, words))]
      .filter(([, count]) => count > 1)
      .map(([word, count]) => [word, 1 - Math.log(count) / Math.log(COMMON * 2)]),
  );
  const keys = [...weight]
    .sort((a, b) => b[1] - a[1])
    .slice(0, KEYS)
    .map(([word]) => word);
  if (!keys.length) return [];
  const rows = await ticketCollection()
    .find({ ...filter, words: { $in: keys } }, { projection: UNSHOWN })
    .sort({ createdAt: -1, _id: -1 })
    .limit(LOOKED_AT)
    .toArray();
  const whole = [...weight.values()].reduce((sum, one) => sum + one, 0);
  return rows
    .filter((row) => row._id !== ticket._id && row.mergedInto !== ticket._id)
    .map((row) => {
      const theirs = new Set(searchWords([row.title, ...row.tags, row.description]));
      const shared = [...weight].reduce((sum, [word, one]) => sum + (theirs.has(word) ? one : 0), 0);
      return { ticket: row as Ticket, score: Math.round((shared / whole) * 100) / 100 };
    })
    .filter(({ score }) => score > 0.3)
    .sort((a, b) => b.score - a.score)
    .slice(0, MOST);
}
