// Somebody stops working here: what they had in hand goes back to its team, or to everybody, so that it is not forgotten.
import type { Ctx } from '../context.ts';
import { systemCtx } from '../context.ts';
import { Refusal } from '../errors.ts';
import { change, type Decide } from '../tickets/change.ts';
import { workedOnBy } from '../tickets/holdings.ts';

export async function handBack(ctx: Ctx, company: string, user: string): Promise<void> {
  const system = systemCtx(ctx, company);
  const decide: Decide = ({ assignee }) =>
    assignee === user
      ? { action: 'assignment_change', set: { assignee: null }, notes: 'The account was closed.' }
      : null;
  let ids = await workedOnBy(company, user);
  while (ids.length) {
    for (const id of ids)
      await change(system, id, decide, { follow: false }).catch((error) => {
        if (!(error instanceof Refusal)) throw error;
      });
    ids = await workedOnBy(company, user, ids.at(-1));
  }
}
