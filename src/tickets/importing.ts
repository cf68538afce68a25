// Tickets coming in from elsewhere, line by line, with what they were there: their status, their dates, their thread.
// Nobody is told of them. A line with an external reference is taken once, however often the file is sent.
import { z } from 'zod';
import { takeBreath } from '../breath.ts';
import { inWords } from '../complaints.ts';
import type { Ctx } from '../context.ts';
import { instant } from '../dates.ts';
import { type Desk, priorityInput, readCategory, readCustomFields } from '../desks/desk.ts';
import { findDesk } from '../desks/desks.ts';
import { forbidden, invalid, Refusal, unknown } from '../errors.ts';
import { idFrom, newId } from '../id.ts';
import { may } from '../people/access.ts';
import { findMember, teamOf } from '../people/members.ts';
import { requestersFor } from '../people/requesters.ts';
import type { NewTicket } from './birth.ts';
import { checkTaking, type TicketDraft } from './change.ts';
import type { Requester } from './ticket.ts';
import { line, lower, tagList, word } from './tickets.ts';
import { type Named, numbersFor, openTogether, whichAreThere } from './together.ts';
import { kindOf, readStatus } from './workflow.ts';

const commentShape = z.strictObject({
  content: z.string().min(1).max(100_000),
  isInternal: z.boolean().default(false),
  author: z.string().max(320).optional(),
  createdAt: instant.optional(),
});

/** What an export writes and nobody can say: passed over. */
const passedOver = {
  channel: z.unknown().optional(),
  updatedAt: z.unknown().optional(),
  firstRespondedAt: z.unknown().optional(),
};

/** What a line may say. A field that is not known is refused by its name, so that nothing is lost unseen. */
export const importLine = z.strictObject({
  ...passedOver,
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

/** A line as it came: where it stood, and how to read it, which may be refused. */
export interface Given {
  at: number;
  read: () => unknown;
}
/** Refused, or taken; what was taken before is not taken again. */
export type Taken = { at: number; error: unknown } | { at: number; isNew: boolean };

export interface Importer {
  /** Takes some lines at once; numbers are given in the order of the lines. */
  take: (lines: readonly Given[]) => Promise<Taken[]>;
}

interface Asked {
  at: number;
  _id: string;
  cause: string;
  line: Line;
  desk: Desk;
}

export function openImport(ctx: Ctx): Importer {
  if (!may(ctx.actor, 'ticket.import')) throw forbidden('ticket.import', 'Only managers import tickets.');
  /** A line that has no name of its own is a new one each time. */
  const nonce = newId();
  const ask = async ({ at, read }: Given): Promise<Asked> => {
    const line = importLine.parse(read(), { error: inWords });
    const desk = await findDesk(ctx.actor.company, line.desk ?? undefined);
    checkTaking(desk);
    const ref = line.externalRef ?? (line.key ? `${line.key}` : null);
    const cause = ref ? `import:${desk.id}:${ref}` : `import:${nonce}:${at}`;
    return { at, _id: idFrom('ticket', ctx.actor.company, cause, 'created'), cause, line, desk };
  };
  let before: Promise<void> = Promise.resolve();
  const take: Importer['take'] = async (lines) => {
    const inTurn = before;
    let next = () => {};
    before = new Promise((resolve) => {
      next = resolve;
    });
    try {
      const taken: Taken[] = [];
      const refuse = ({ at }: { at: number }, error: unknown) => void taken.push({ at, error });
      const asked = new Map<string, Asked>();
      const again: Given[] = [];
      const breathe = takeBreath();
      for (const line of lines) {
        await breathe();
        const one = await ask(line).catch((error) => refuse(line, error));
        if (one && asked.has(one._id)) again.push(line);
        else if (one) asked.set(one._id, one);
      }
      const there = await whichAreThere([...asked.keys()]);
      const isThere = ({ _id }: Asked) => there.has(_id);
      for (const { at } of [...asked.values()].filter(isThere)) taken.push({ at, isNew: false });
      const left = [...asked.values()].filter((one) => !isThere(one));
      const births = await birthsOf(ctx, left, refuse);
      await inTurn;
      const numbers = await numbersFor(births);
      next();
      for (const [birth, outcome] of await openTogether(births, numbers))
        if (outcome instanceof Error) refuse(birth, outcome);
        else taken.push({ at: birth.at, isNew: outcome });
      return again.length ? [...taken, ...(await take(again))] : taken;
    } finally {
      next();
    }
  };
  return { take };
}

/** What is asked of people, teams and desks is asked once for all of these. */
async function birthsOf(
  ctx: Ctx,
  asked: readonly Asked[],
  refuse: (asked: Asked, error: unknown) => void,
): Promise<(Named & { at: number })[]> {
  const whoOf = ({ line }: Asked) => line.requester ?? line.requesterEmail ?? ctx.actor.id;
  const requesters = await requestersFor(ctx, asked.map(whoOf));
  const staff = onceEach((id: string) => findMember(ctx, id));
  const teams = onceEach((id: string) => teamOf(ctx, id));
  const births: (Named & { at: number })[] = [];
  const breathe = takeBreath();
  for (const one of asked) {
    await breathe();
    const { at, _id, cause, line, desk } = one;
    try {
      const requester = requesters.get(whoOf(one));
      if (!requester || requester instanceof Refusal) throw requester ?? unknown('requester');
      if (line.assigneeId) await staff(line.assigneeId);
      if (line.teamId) await teams(line.teamId);
      births.push({
        ...{ at, _id, desk },
        ctx: { ...ctx, via: 'import', cause },
        given: fieldsOf(ctx, desk, line, requester),
        more: (line.comments ?? []).map((comment, place) => commentDraft(_id, comment, place)),
        extra: { silent: true },
      });
    } catch (error) {
      refuse(one, error);
    }
  }
  return births;
}

function onceEach<T>(find: (id: string) => Promise<T>): (id: string) => Promise<T> {
  const found = new Map<string, Promise<T>>();
  return (id) => {
    const known = found.get(id) ?? find(id);
    found.set(id, known);
    return known;
  };
}

function fieldsOf(ctx: Ctx, desk: Desk, read: Line, requester: Requester): NewTicket {
  const status = read.status ? readStatus(desk.workflow, read.status) : desk.workflow.initial;
  if (!status)
    throw invalid('import.status', `The desk ${desk.key} has no status "${read.status}".`, [
      {
        path: 'status',
        message: `must be one of ${desk.workflow.states.map((state) => state.name).join(', ')}`,
      },
    ]);
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
