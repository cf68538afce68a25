// Some deeds touch two tickets: merging, splitting, linking. The first write says all that the second will do; whoever
// died between them, the relay finds the entry of the first and finishes the second. Every step looks at how things
// stand and does nothing the second time.
import type { Ctx } from '../context.ts';
import { Refusal } from '../errors.ts';
import type { Entry } from '../history/entry.ts';
import type { Logger } from '../log.ts';
import { finishLinks, finishMove } from './linking.ts';
import { finishMerge } from './merging.ts';
import { finishSplit } from './splitting.ts';
import { finishUnmerge } from './unmerging.ts';

/** For the relay, before it strikes these entries off. */
export async function finishPending(log: Logger, entries: readonly Entry[]): Promise<void> {
  for (const entry of entries) {
    const step = stepOf(entry);
    if (!step) continue;
    try {
      await step(asBefore(log, entry));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      log.warn(
        { entry: entry._id, reason: error.reason },
        'the second half of a change is no longer possible',
      );
    }
  }
}

function stepOf({ _id, action, facts, ticket }: Entry): ((ctx: Ctx) => Promise<unknown>) | null {
  if (typeof facts?.into === 'string' && action === 'merged') return (ctx) => finishMerge(ctx, ticket);
  if (typeof facts?.takenOutOf === 'string') {
    const into = facts.takenOutOf;
    return (ctx) => finishUnmerge(ctx, ticket, into);
  }
  if (typeof facts?.splitFrom === 'string') return (ctx) => finishSplit(ctx, ticket);
  if (action === 'moved') return (ctx) => finishMove(ctx, ticket);
  if (typeof facts?.linkedWith === 'string') {
    const other = facts.linkedWith;
    return (ctx) => finishLinks(ctx, ticket, other, _id);
  }
  return null;
}

/** In the name of whoever began it; that they were allowed to was settled then. */
const asBefore = (log: Logger, { by, company, via, request, at }: Entry): Ctx => ({
  actor: { ...by, company, role: 'admin', teams: [] },
  via,
  request,
  log,
  now: () => new Date(Math.max(at.getTime(), Date.now())),
});
