// After a category got another name: its tickets follow, page by page, each by an entry that tells nobody. The desk
// remembers what is to be done until it is done, so that whoever dies half-way, another goes on.
import { type Ctx, systemCtx } from '../context.ts';
import type { Logger } from '../log.ts';
import { changeRead } from '../tickets/change.ts';
import { ofCategory } from '../tickets/holdings.ts';
import type { Rename } from './desk.ts';
import { forgetDesks } from './desks.ts';
import { deskCollection, type StoredDesk } from './model.ts';

const PAGE = 250;
const LONGEST_MS = 5_000;
/** So long some process may still know the desk by its older names, and file under one. */
const REMEMBERED_MS = 10_000;

/** For the rounds of the workers: works for a while, and goes on in the next round. Returns how many it renamed. */
export async function finishRenames(log: Logger): Promise<number> {
  const began = performance.now();
  let renamed = 0;
  const desks = await deskCollection()
    .find({ renamingSince: { $type: 'date', $gt: new Date(0) } })
    .limit(20)
    .toArray();
  for (const desk of desks)
    for (const rename of desk.renames ?? []) {
      const ctx = systemCtx({ log, request: 'category renamed' }, desk.company);
      const isLate = () => performance.now() - began > LONGEST_MS;
      const { isDone, count } = await renameOn(ctx, desk, rename, isLate);
      renamed += count;
      if (!isDone) return renamed;
      if (ctx.now().getTime() - rename.at.getTime() > REMEMBERED_MS) await strike(desk, rename);
    }
  return renamed;
}

/** Done when no ticket has the old name any more. */
async function renameOn(
  ctx: Ctx,
  { _id, company }: StoredDesk,
  { from, to }: Rename,
  isLate: () => boolean,
): Promise<{ isDone: boolean; count: number }> {
  for (let count = 0; ; ) {
    const tickets = await ofCategory(company, _id, from, PAGE);
    if (!tickets.length) return { isDone: true, count };
    const { written, failed } = await changeRead(
      () => ctx,
      tickets,
      (ticket) =>
        ticket.category === from && ticket.desk === _id
          ? { action: 'update', set: { category: to }, facts: { because: 'category renamed' }, silent: true }
          : null,
    );
    for (const { ticket, error } of failed)
      ctx.log.error({ ticket, err: error }, 'a category could not be renamed');
    count += written;
    if (written === 0 || isLate()) return { isDone: false, count };
  }
}

async function strike({ _id, company }: StoredDesk, { from, to, at }: Rename): Promise<void> {
  await deskCollection().updateOne({ _id }, { $pull: { renames: { from, to, at } } });
  await deskCollection().updateOne(
    { _id, renames: { $size: 0 } },
    { $unset: { renames: '', renamingSince: '' } },
  );
  forgetDesks(company);
}
