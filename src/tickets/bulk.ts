// One deed on many tickets. Each ticket has its own outcome: what one refuses does not hold up the others.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { instant } from '../dates.ts';
import { priorityInput } from '../desks/desk.ts';
import { forbidden, invalid, Refusal } from '../errors.ts';
import { may } from '../people/access.ts';
import { assign, claim, release } from './assigning.ts';
import { addComment, commentInput } from './comments.ts';
import { patch } from './editing.ts';
import { find } from './find.ts';
import { useMacro } from './macros.ts';
import { merge } from './merging.ts';
import { advance, close, escalate, reopen, resolve, setStatus, snooze } from './moving.ts';
import { unwatch, watch } from './people.ts';
import type { Ticket } from './ticket.ts';
import { remove, tagList } from './tickets.ts';

const ACTIONS = [
  ...['status', 'resolve', 'close', 'reopen', 'escalate', 'advance', 'assign', 'claim', 'release'],
  ...['priority', 'category', 'tag', 'untag', 'snooze', 'watch', 'unwatch', 'comment', 'macro', 'merge'],
  'delete',
] as const;

export const bulkInput = z
  .strictObject({
    ids: z.array(z.string().min(1).max(64)).min(1).max(500),
    action: z
      .string()
      .toLowerCase()
      .pipe(z.enum(ACTIONS as readonly string[] as readonly [string]))
      .meta({ description: `One of ${ACTIONS.join(', ')}.` }),
    status: z.string().min(1).max(60).optional(),
    resolutionNotes: z.string().trim().min(1).max(20_000).optional(),
    notes: z.string().trim().max(4_000).optional(),
    assigneeId: z.string().max(40).nullish(),
    teamId: z.string().max(40).nullish(),
    priority: priorityInput.optional(),
    category: z.string().max(60).nullish(),
    tags: tagList.optional(),
    until: instant.nullish(),
    into: z.string().min(1).max(64).optional(),
    macroId: z.string().max(120).optional(),
    ...commentInput.omit({ attachmentIds: true }).partial().shape,
  })
  .meta({
    example: {
      ids: ['TKT-000041', 'TKT-000042'],
      action: 'resolve',
      resolution_notes: 'Fixed by the rollout.',
    },
  });
export type BulkInput = z.output<typeof bulkInput>;

export type Outcome = { id: string } & ({ ticket: Ticket | null } | { refusal: Refusal });

export async function bulk(ctx: Ctx, input: BulkInput): Promise<Outcome[]> {
  if (!may(ctx.actor, 'ticket.bulk'))
    throw forbidden('ticket.bulk', 'Only agents change many tickets at once.');
  const act = actOf(input);
  const outcomes: Outcome[] = [];
  const done = new Map<string, Ticket | null>();
  /** By whatever names a ticket is given, it is done to it once. */
  const actOnce: Act = async (by, ref) => {
    const { _id } = await find(by, ref);
    if (!done.has(_id)) done.set(_id, await act(by, ref));
    return done.get(_id) ?? null;
  };
  const onePlace = input.action === 'merge' ? act : actOnce;
  for (const id of new Set(input.ids)) outcomes.push(await outcomeOf(ctx, id, onePlace));
  return outcomes;
}

type Act = (ctx: Ctx, id: string) => Promise<Ticket | null>;

async function outcomeOf(ctx: Ctx, id: string, act: Act): Promise<Outcome> {
  try {
    return { id, ticket: await act(ctx, id) };
  } catch (error) {
    if (error instanceof Refusal && error.kind !== 'away') return { id, refusal: error };
    throw error;
  }
}

const needed = <T>(value: T | undefined, name: string): T => {
  if (value !== undefined) return value;
  throw invalid('ticket.bulk_input', `This action needs ${name}.`, [{ path: name, message: 'is required' }]);
};

function actOf(input: BulkInput): Act {
  const notes = input.notes ? { notes: input.notes } : {};
  switch (input.action as (typeof ACTIONS)[number]) {
    case 'status': {
      const status = needed(input.status, 'status');
      return (ctx, id) => setStatus(ctx, id, { status, ...notes });
    }
    case 'resolve': {
      const resolutionNotes = needed(input.resolutionNotes, 'resolution_notes');
      return (ctx, id) => resolve(ctx, id, { resolutionNotes });
    }
    case 'close':
      return (ctx, id) => close(ctx, id, notes);
    case 'reopen':
      return (ctx, id) => reopen(ctx, id, notes);
    case 'escalate':
      return (ctx, id) =>
        escalate(ctx, id, { ...notes, ...(input.priority ? { priority: input.priority } : {}) });
    case 'advance':
      return (ctx, id) => advance(ctx, id, notes);
    case 'assign': {
      const { assigneeId, teamId } = input;
      if (assigneeId === undefined && teamId === undefined) needed(undefined, 'assignee_id');
      return (ctx, id) => assign(ctx, id, { assigneeId, teamId, ...notes });
    }
    case 'claim':
      return (ctx, id) => claim(ctx, id);
    case 'release':
      return (ctx, id) => release(ctx, id);
    case 'priority': {
      const priority = needed(input.priority, 'priority');
      return (ctx, id) => patch(ctx, id, { priority });
    }
    case 'category': {
      const category = needed(input.category, 'category');
      return (ctx, id) => patch(ctx, id, { category });
    }
    case 'tag':
      return tagging(needed(input.tags, 'tags'), []);
    case 'untag':
      return tagging([], needed(input.tags, 'tags'));
    case 'snooze': {
      const until = needed(input.until, 'until');
      return (ctx, id) => snooze(ctx, id, { until });
    }
    case 'watch':
      return (ctx, id) => watch(ctx, id, 'me');
    case 'unwatch':
      return (ctx, id) => unwatch(ctx, id, 'me');
    case 'comment': {
      const content = needed(input.content, 'content');
      const { isInternal, commentType } = input;
      return async (ctx, id) => (await addComment(ctx, id, { content, isInternal, commentType })).ticket;
    }
    case 'macro': {
      const macroId = needed(input.macroId, 'macro_id');
      return (ctx, id) => useMacro(ctx, id, { macroId });
    }
    case 'merge': {
      const into = needed(input.into, 'into');
      return (ctx, id) => merge(ctx, id, { into });
    }
    case 'delete':
      return async (ctx, id) => {
        await remove(ctx, id);
        return null;
      };
    default:
      throw invalid('ticket.bulk_action', `There is no action "${input.action}".`, [
        { path: 'action', message: `must be one of ${ACTIONS.join(', ')}` },
      ]);
  }
}

/** Against the tags as they are then: somebody else's tag is not lost. */
const tagging =
  (add: readonly string[], drop: readonly string[]): Act =>
  async (ctx, id) => {
    for (let attempt = 1; ; attempt++) {
      const { tags, seq } = await find(ctx, id);
      const kept = tags.filter((tag) => !drop.includes(tag));
      try {
        return await patch(ctx, id, { tags: [...new Set([...kept, ...add])] }, seq);
      } catch (error) {
        if (attempt >= 10 || !(error instanceof Refusal && error.kind === 'stale')) throw error;
      }
    }
  };
