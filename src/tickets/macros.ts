// A macro used on a ticket: its text becomes a public reply, its deeds are done along with it, and all of it is one
// change: either everything happens or nothing.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { readPriority } from '../desks/desk.ts';
import { fillIn, type Macro, readMacro } from '../desks/macros.ts';
import { conflict, forbidden, invalid } from '../errors.ts';
import { may } from '../people/access.ts';
import { change, type Seen } from './change.ts';
import { type Deed, draftsOf, editing, handing, moving, prioritizing, saying, wordsFor } from './deeds.ts';
import { find } from './find.ts';
import type { Ticket } from './ticket.ts';

export const useMacroInput = z.strictObject({
  macroId: z.string().min(1).max(120).meta({ description: 'Id or name of the macro.' }),
});

export async function useMacro(
  ctx: Ctx,
  ref: string,
  { macroId }: z.output<typeof useMacroInput>,
  seen?: Seen,
): Promise<Ticket> {
  if (!may(ctx.actor, 'macro.use') || !may(ctx.actor, 'ticket.work'))
    throw forbidden('macro.use', 'Only agents use macros.');
  const [macro, now] = await Promise.all([readMacro(ctx, macroId), find(ctx, ref)]);
  const deeds = await deedsOf(ctx, now, macro);
  return change(
    ctx,
    now._id,
    (ticket, desk) =>
      draftsOf(ctx, deeds, ticket, desk).map((draft) => ({
        ...draft,
        facts: { ...draft.facts, macro: macro.name },
      })),
    { seen },
  );
}

/** In the order in which they are done; `first` is the number of its first comment. */
export async function deedsOf(
  ctx: Ctx,
  now: Ticket,
  macro: Macro,
  { first = 0, agent = ctx.actor.name } = {},
): Promise<Deed[]> {
  if (macro.deskId !== null && macro.deskId !== now.desk)
    throw conflict('macro.desk', `The macro “${macro.name}” belongs to another desk.`);
  const valuesOf = (deed: Macro['actions'][number]['do']): string[] =>
    macro.actions.filter((one) => one.do === deed).map((one) => one.value);
  const lastOf = (deed: Macro['actions'][number]['do']) => valuesOf(deed).at(-1);
  const words = wordsFor(now, agent);
  const reply = (await fillIn(macro, words)).trim();
  const notes = await Promise.all(valuesOf('note').map((text) => fillIn({ body: text }, words)));
  const said = [
    ...(reply ? [{ audience: 'public' as const, content: reply }] : []),
    ...notes.filter((text) => text.trim()).map((content) => ({ audience: 'internal' as const, content })),
  ];
  const [assignee, team, wanted, status] = [
    lastOf('assignee'),
    lastOf('team'),
    lastOf('priority'),
    lastOf('status'),
  ];
  const priority = wanted === undefined ? undefined : readPriority(wanted);
  if (wanted !== undefined && !priority)
    throw invalid('macro.priority', `The macro names the priority "${wanted}".`);
  const edits = { addTags: valuesOf('add_tag'), removeTags: valuesOf('remove_tag') };
  return [
    ...said.map(({ audience, content }, nth) => saying(ctx, audience, content, first + nth)),
    editing(ctx, { ...edits, category: lastOf('category') }),
    ...(priority ? [prioritizing(ctx, priority)] : []),
    ...(assignee === undefined && team === undefined ? [] : [await handing(ctx, now, { assignee, team })]),
    ...(status === undefined ? [] : [moving(ctx, status)]),
  ];
}
