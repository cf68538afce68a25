// Tickets coming in from elsewhere, line by line, with what they were there: their status, their dates, their thread.
// Nobody is told of them. A line with an external reference is taken once, however often the file is sent.
import { z } from 'zod';
import { inWords } from '../complaints.ts';
import type { Ctx } from '../context.ts';
import { instant } from '../dates.ts';
import { type Desk, priorityInput, readCategory, readCustomFields } from '../desks/desk.ts';
import { findDesk } from '../desks/desks.ts';
import { forbidden, invalid, Refusal } from '../errors.ts';
import { idFrom } from '../id.ts';
import { may } from '../people/access.ts';
import { findMember, teamOf } from '../people/members.ts';
import { requesterFor } from '../people/requesters.ts';
import { type NewTicket, open, type TicketDraft } from './change.ts';
import { ticketCollection } from './model.ts';
import type { Requester, Ticket } from './ticket.ts';
import { line, lower, tagList, word } from './tickets.ts';
import { kindOf, readStatus } from './workflow.ts';

const commentShape = z.strictObject({
  content: z.string().min(1).max(100_000),
  isInternal: z.boolean().default(false),
  author: z.string().max(320).optional(),
  createdAt: instant.optional(),
});

/** What a line may say. A field that an export writes and that cannot be given is passed over. */
export const importLine = z.object({
  title: line(300),
  description: z.string().max(100_000).default(''),
  desk: z.string().max(40).nullish(),
  status: z.string().max(60).nullish(),
  priority: priorityInput.nullish(),
  category: z.string().max(60).nullish(),
  tags: tagList.nullish(),
  environment: word().nullish(),
  affectedService: word(200).nullish(),
  impactLevel: word().nullish(),
  requester: z.string().max(320).nullish(),
  requesterEmail: z.string().max(320).nullish(),
  requesterName: z.string().max(200).nullish(),
  assigneeId: z.string().max(40).nullish(),
  teamId: z.string().max(40).nullish(),
  externalRef: word(200).nullish(),
  key: z.string().max(40).nullish(),
  dueDate: instant.nullish(),
  estimatedHours: z.number().min(0).max(100_000).nullish(),
  actualHours: z.number().min(0).max(100_000).nullish(),
  resolutionNotes: z.string().max(20_000).nullish(),
  customFields: z.record(z.string().max(40), z.unknown()).nullish(),
  createdAt: instant.nullish(),
  resolvedAt: instant.nullish(),
  closedAt: instant.nullish(),
  comments: z.array(commentShape).max(1_000).nullish(),
});
type Line = z.output<typeof importLine>;

export interface Importer {
  /** Takes one line; throws the Refusal that says why not. */
  take: (given: unknown, line: number) => Promise<{ ticket: Ticket; isNew: boolean }>;
}

/** Who asked is looked up once for each address. */
const MOST_KNOWN = 5_000;

export function openImport(ctx: Ctx): Importer {
  if (!may(ctx.actor, 'ticket.import')) throw forbidden('ticket.import', 'Only managers import tickets.');
  const known = new Map<string, Promise<Requester>>();
  const requester = (who: string): Promise<Requester> => {
    const there = known.get(who);
    if (there) return there;
    if (known.size >= MOST_KNOWN) known.clear();
    const found = requesterFor(ctx, who);
    known.set(who, found);
    found.catch(() => known.delete(who));
    return found;
  };
  return {
    async take(given, at) {
      const read = importLine.parse(given, { error: inWords });
      const who = read.requester ?? read.requesterEmail;
      const asked = who ? await requester(who) : await requester(ctx.actor.id);
      const desk = await findDesk(ctx.actor.company, read.desk ?? undefined);
      const ref = read.externalRef ?? (read.key ? `${read.key}` : null);
      const cause = ref ? `import:${desk.id}:${ref}` : `import:${ctx.request}:${at}`;
      const _id = idFrom('ticket', ctx.actor.company, cause, 'created');
      const there = ref
        ? await ticketCollection().findOne({ _id }, { projection: { pending: 0, words: 0 } })
        : null;
      if (there) return { ticket: there, isNew: false };
      const inner: Ctx = { ...ctx, via: 'import', cause };
      const fields = await fieldsOf(ctx, desk, read, asked);
      const comments = (read.comments ?? []).map((comment, place) => commentDraft(_id, comment, place));
      const ticket = await open(inner, desk, fields, comments, { silent: true });
      return { ticket, isNew: true };
    },
  };
}

async function fieldsOf(ctx: Ctx, desk: Desk, read: Line, requester: Requester): Promise<NewTicket> {
  const status = read.status ? readStatus(desk.workflow, read.status) : desk.workflow.initial;
  if (!status)
    throw invalid('import.status', `The desk ${desk.key} has no status "${read.status}".`, [
      {
        path: 'status',
        message: `must be one of ${desk.workflow.states.map((state) => state.name).join(', ')}`,
      },
    ]);
  if (read.assigneeId) await findMember(ctx, read.assigneeId);
  if (read.teamId) await teamOf(ctx, read.teamId);
  const category = read.category ? readCategory(desk, read.category) : null;
  const kind = kindOf(desk.workflow, status);
  const isDone = kind === 'resolved' || kind === 'closed';
  return {
    title: read.title,
    description: read.description,
    requester,
    status,
    ...(read.priority ? { priority: read.priority } : {}),
    category,
    tags: read.tags ?? [],
    environment: lower(read.environment),
    affectedService: read.affectedService ?? null,
    impactLevel: lower(read.impactLevel),
    assignee: read.assigneeId ?? null,
    team: read.teamId ?? null,
    externalRef: read.externalRef ?? null,
    dueDate: read.dueDate ?? null,
    estimatedHours: read.estimatedHours ?? null,
    actualHours: read.actualHours ?? null,
    resolutionNotes: read.resolutionNotes ?? null,
    customFields: readCustomFields(desk, read.customFields ?? {}, category, { complete: false }),
    ...(read.createdAt ? { createdAt: notLater(read.createdAt, ctx.now()) } : {}),
    ...(isDone && read.resolvedAt ? { resolvedAt: read.resolvedAt } : {}),
    ...(isDone && read.closedAt ? { closedAt: read.closedAt } : {}),
  };
}

function notLater(at: Date, now: Date): Date {
  if (at.getTime() > now.getTime() + 60_000)
    throw new Refusal('invalid', 'import.future', 'A ticket cannot have been filed in the future.', {
      details: [{ path: 'created_at', message: 'lies in the future' }],
    });
  return at;
}

function commentDraft(ticket: string, comment: z.output<typeof commentShape>, place: number): TicketDraft {
  return {
    action: 'comment_added',
    silent: true,
    comment: {
      id: ticket + idFrom('comment', ticket, String(place)).slice(0, 12),
      audience: comment.isInternal ? 'internal' : 'public',
      text: comment.content,
      ...(comment.author ? { author: { kind: 'contact', id: 'imported', name: comment.author } } : {}),
      ...(comment.createdAt ? { writtenAt: comment.createdAt } : {}),
    },
  };
}
