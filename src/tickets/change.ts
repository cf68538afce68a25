// How a change is written. The entry is the change: one atomic write of the ticket's document carries the new fields
// and the entries that say so (`pending`). The relay files them into the history and only then strikes them off.
// Whatever dies at whatever moment, there is no changed ticket without its entry and no entry without its change.
// The sequence number is the lock: whoever wrote first wins, the other reads again and decides anew.

import type { Ctx } from '../context.ts';
import type { Desk } from '../desks/desk.ts';
import { findDesk } from '../desks/desks.ts';
import { nextNumber } from '../desks/numbers.ts';
import { conflict, Refusal } from '../errors.ts';
import { applied, commentsAsTheyAre, type Draft, differences, type Entry, packed } from '../history/entry.ts';
import { file, filedCauses } from '../history/history.ts';
import { partsOf, rootOf } from '../history/parts.ts';
import { idFrom, newId } from '../id.ts';
import { insertsTogether } from '../inserts.ts';
import { isRequester } from '../people/access.ts';
import { signal } from '../signals.ts';
import type { Rules } from '../sla/policy.ts';
import { rulesOf } from '../sla/rules.ts';
import { datesAfter, type Happening } from '../sla/targets.ts';
import { isDuplicate } from '../store.ts';
import { traceparent } from '../tracing.ts';
import { asRow, bornWith, type NewTicket, newborn } from './birth.ts';
import { load } from './find.ts';
import { ticketCollection } from './model.ts';
import { passTaken } from './numbering.ts';
import {
  asTicket,
  consequences,
  type Filer,
  isInside,
  type StoredTicket,
  type Ticket,
  versionFor,
} from './ticket.ts';
import { wordsOf } from './words.ts';

/** `onto`: the desk that the ticket goes to, by whose workflow it stands from then on. */
export type TicketDraft = Draft<Ticket> & { onto?: Desk };
export type Decide = (ticket: Ticket, desk: Desk) => TicketDraft | TicketDraft[] | null;

const ATTEMPTS = 40;
/** More than this many entries waiting on one ticket (no relay running): file them here before adding more. */
const MOST_PENDING = 50;

const insertTogether = insertsTogether(ticketCollection, { least: 8 });

/** What a ticket begins with. `more` are entries that belong to its birth (an assignment rule, a first comment). */
export interface Birth {
  ctx: Ctx;
  desk: Desk;
  given: NewTicket;
  more?: TicketDraft[];
  extra?: Partial<TicketDraft>;
}

/** Files a new ticket. */
export async function open(
  ctx: Ctx,
  desk: Desk,
  given: NewTicket,
  more: TicketDraft[] = [],
  extra: Partial<TicketDraft> = {},
): Promise<Ticket> {
  const at = ctx.now();
  const _id = ctx.cause
    ? idFrom('ticket', ctx.actor.company, ctx.cause, extra.action ?? 'created')
    : newId(at);
  if (ctx.redo) {
    const there = await ticketCollection().findOne({ _id });
    if (there) return asTicket(there);
  }
  const rules = await rulesOf(ctx.actor.company);
  const birth = { ctx, desk, given, more, extra };
  checkTaking(desk);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const number = await nextNumber(desk.id);
    const stored = bornAs(birth, { _id, number, at, rules });
    try {
      await insertTogether(asRow(stored));
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      const there = await ticketCollection().findOne({ _id });
      if (there) return asTicket(there);
      await passTaken(desk, number);
      continue;
    }
    signal('entry', { company: stored.company, born: stored });
    return asTicket(stored);
  }
  throw contended();
}

export const contended = () =>
  conflict('ticket.contended', 'Too many tickets are being filed at once. Try again.');

export function checkTaking(desk: Desk): void {
  if (!desk.active) throw conflict('desk.closed', `The desk ${desk.key} is closed: it takes no new tickets.`);
}

/** The ticket as it is filed, with the entries that say so. */
export function bornAs(
  { ctx, desk, given, more = [], extra = {} }: Birth,
  { _id, number, at, rules }: { _id: string; number: number; at: Date; rules: Rules },
): StoredTicket {
  const { company } = ctx.actor;
  const createdBy = isRequester(ctx.actor, given) ? null : by(ctx);
  const first = newborn(given, desk, { _id, company, number, channel: ctx.via, createdBy, at });
  Object.assign(first, datesAfter(null, first, { at, seq: 1, spoke: null }, rules));
  const birth = entryOf(ctx, { action: 'created', ...extra }, first, desk, bornWith(first));
  const { ticket, entries } = write(ctx, first, desk, rules, more, at);
  const pending = [birth, ...entries];
  return Object.assign(ticket, { pending, words: wordsOf(ticket, commentsAsTheyAre(pending)) });
}

/** Numbers the drafts and folds them into the ticket: pure but for the clock it is given. */
function write(
  ctx: Ctx,
  before: Ticket,
  desk: Desk,
  rules: Rules,
  drafts: readonly TicketDraft[],
  at: Date,
): { ticket: Ticket; entries: Entry[] } {
  const { _id, company } = before;
  const entries: Entry[] = [];
  let ticket = before;
  let home = desk;
  for (const draft of drafts) {
    home = draft.onto ?? home;
    const given = consequences(ticket, draft.set ?? {}, home.workflow, at);
    const seq = ticket.seq + 1;
    const happening = { at, seq, spoke: spokenBy(ctx, draft, ticket) };
    const set = { ...given, ...datesAfter(ticket, { ...ticket, ...given }, happening, rules) };
    const fields = differences<Ticket>(ticket, set);
    if (draft.action === 'update' && !draft.comment && !draft.facts && !Object.keys(fields).length) continue;
    const entry = entryOf(ctx, draft, { _id, company, seq, updatedAt: at }, home, fields);
    if (isInside(entry, desk)) entry.inside = true;
    entries.push(entry);
    ticket = applied(ticket, entry);
    if (!entry.inside && ticket.shownSeq !== seq) entry.shown = ticket.shownSeq;
  }
  return { ticket, entries };
}

/** What is said of a draft that has brought a ticket to where it stands now. */
function entryOf(
  ctx: Ctx,
  draft: TicketDraft,
  { _id, company, seq, updatedAt }: Pick<Ticket, '_id' | 'company' | 'seq' | 'updatedAt'>,
  desk: Desk,
  fields: Entry['fields'],
): Entry {
  const trace = traceparent();
  const entry: Entry = {
    _id: `${_id}-${seq}`,
    ticket: _id,
    company,
    desk: desk.id,
    seq,
    action: draft.action,
    at: updatedAt,
    by: by(ctx),
    via: ctx.via,
    request: ctx.request,
    fields,
  };
  if (ctx.cause) entry.cause = causeOf(ctx, draft);
  if (draft.comment) entry.comment = draft.comment;
  if (draft.notes) entry.notes = draft.notes;
  if (draft.facts) entry.facts = draft.facts;
  if (draft.silent) entry.silent = true;
  if (trace) entry.trace = trace;
  return entry;
}

const by = ({ actor: { kind, id, name } }: Ctx): Filer => ({ kind, id, name });

/** Whose public word it is: a promise to answer is kept by an agent, never by a machine. */
function spokenBy(ctx: Ctx, { action, comment }: TicketDraft, { requester }: Ticket): Happening['spoke'] {
  if (action !== 'comment_added' || comment?.audience !== 'public' || ctx.actor.kind === 'system')
    return null;
  const asks = ctx.actor.role === 'customer' || ctx.actor.id === requester?.id;
  return asks ? 'customer' : 'agent';
}

const causeOf = (ctx: Ctx, draft: { action: string }) => `${ctx.cause}/${draft.action}`;

/** If-Match: the version that the caller saw; of several, any. */
export type Seen = number | readonly number[];

export interface ChangeOptions {
  seen?: Seen | undefined;
  /** A merged ticket leads to the one it became part of; false: this very one. */
  follow?: boolean;
}

/** Somebody may have been quicker. */
export function checkSeen(ctx: Ctx, ticket: Pick<Ticket, 'seq' | 'shownSeq'>, seen: Seen | undefined): void {
  if (seen !== undefined && ![seen].flat().includes(versionFor(ctx.actor, ticket)))
    throw new Refusal(
      'stale',
      'ticket.changed',
      'Somebody changed this ticket since you read it. Read it again.',
    );
}

/** Changes a ticket that the actor may see. `decide` is pure and may run more than once; null changes nothing. */
export async function change(
  ctx: Ctx,
  ref: string,
  decide: Decide,
  { seen, follow = true }: ChangeOptions = {},
): Promise<Ticket> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const stored = await load(ctx, ref, { follow });
    const { pending } = stored;
    const before = asTicket(stored);
    const causes = ctx.redo && ctx.cause ? await causesOf(before, pending, ctx.cause) : [];
    // What this very request has done already makes nobody slower.
    if (!causes.length) checkSeen(ctx, before, seen);
    const [desk, rules] = await Promise.all([
      findDesk(before.company, before.desk),
      rulesOf(before.company, before.sla?.version),
    ]);
    const drafts = decideAgain(decide, before, desk, causes.length > 0);
    const first = drafts[0];
    if (!first || (ctx.cause && causes.includes(causeOf(ctx, first)))) return before;
    const at = laterOf(ctx.now(), before.updatedAt);
    const { ticket, entries } = write(ctx, before, desk, rules, drafts, at);
    if (!entries.length) return before;
    if (pending.length > MOST_PENDING) await file(pending);
    const { filter, update } = commit(stored, ticket, entries);
    const written = await ticketCollection().updateOne(filter, update);
    if (written.matchedCount === 1) {
      signal('entry', { company: ticket.company, ticket: ticket._id });
      return ticket;
    }
    await pause(attempt);
  }
  throw conflict('ticket.contended', 'Too many people are changing this ticket at once. Try again.');
}

/** By name, or by path, what is otherwise after all of these entries. */
function changedBy(before: object, after: object, entries: readonly Entry[]): Record<string, unknown> {
  const changed: Record<string, unknown> = {};
  const isOne = entries.length === 1;
  const [was, is] = [before as Record<string, unknown>, after as Record<string, unknown>];
  for (const { fields } of entries)
    for (const [name, [, value]] of Object.entries(fields)) {
      const root = rootOf(name);
      if (isOne || root === name) changed[name] = value;
      else if (entries.some((entry) => root in entry.fields)) changed[root] = is[root];
      else
        for (const [path, [, part]] of Object.entries(partsOf(root, was[root], is[root])))
          changed[path] = part;
    }
  return changed;
}

/** The one write: the new fields, and the entries that say so. */
function commit(before: StoredTicket, after: Ticket, entries: readonly Entry[]) {
  const { _id, seq, pending, pendingAt } = before;
  const { seq: last, updatedAt } = after;
  const isShown = entries.some(({ inside }) => !inside);
  const shown = isShown ? { shownSeq: after.shownSeq, shownAt: after.shownAt } : {};
  const $set = { ...changedBy(before, after, entries), seq: last, updatedAt, ...shown };
  const waiting = { pendingAt: pendingAt ?? updatedAt };
  const [first] = pending;
  // Its own fields were what it was born as: from now on its entry says so. Was that filed meanwhile, it is not here.
  if (first?.seq === 1 && seq === 1)
    return {
      filter: { _id, seq, 'pending.0.seq': 1 },
      update: { $set: { ...$set, ...waiting, pending: [packed(first), ...entries] } },
    };
  const update =
    pending.length > MOST_PENDING
      ? { $set: { ...$set, ...waiting, pending: [...entries] }, $min: { untold: first?.seq ?? seq } }
      : { $set: { ...$set, ...waiting }, $push: { pending: { $each: [...entries] } } };
  return { filter: { _id, seq }, update };
}

/**
 * Switchboard's own change of tickets that have just been read: one trip for all of them. A ticket that somebody has
 * changed meanwhile keeps what they wrote, and one whose change fails does not hold up the others.
 */
export async function changeRead(
  ctx: (company: string) => Ctx,
  tickets: readonly StoredTicket[],
  decide: Decide,
): Promise<{ written: number; failed: { ticket: string; error: unknown }[] }> {
  const failed: { ticket: string; error: unknown }[] = [];
  const operations: { updateOne: ReturnType<typeof commit> }[] = [];
  const changed: { company: string; ticket: string }[] = [];
  for (const stored of tickets) {
    const { pending } = stored;
    const before = asTicket(stored);
    try {
      const desk = await findDesk(before.company, before.desk);
      const rules = await rulesOf(before.company, before.sla?.version);
      const acting = ctx(before.company);
      const drafts = [decide(before, desk) ?? []].flat();
      const { ticket, entries } = write(
        acting,
        before,
        desk,
        rules,
        drafts,
        laterOf(acting.now(), before.updatedAt),
      );
      if (!entries.length) continue;
      if (pending.length > MOST_PENDING) await file(pending);
      operations.push({ updateOne: commit(stored, ticket, entries) });
      changed.push({ company: before.company, ticket: before._id });
    } catch (error) {
      failed.push({ ticket: stored._id, error });
    }
  }
  if (!operations.length) return { written: 0, failed };
  const { matchedCount } = await ticketCollection().bulkWrite(operations, { ordered: false });
  for (const one of changed) signal('entry', one);
  return { written: matchedCount, failed };
}

/** Time on one ticket never runs backwards, whatever the clocks of our processes say. */
const laterOf = (a: Date, b: Date): Date => (a.getTime() >= b.getTime() ? a : b);
const pause = (attempt: number) =>
  new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(5 * attempt, 50)));

/** What was done already may forbid itself to be done again (resolving twice): in a redo that is no refusal. */
function decideAgain(decide: Decide, before: Ticket, desk: Desk, done: boolean): TicketDraft[] {
  try {
    const decided = decide(before, desk);
    return decided === null ? [] : [decided].flat();
  } catch (error) {
    if (done && error instanceof Refusal) return [];
    throw error;
  }
}

async function causesOf(ticket: Ticket, pending: readonly Entry[], cause: string): Promise<string[]> {
  const travelling = pending.flatMap((entry) => (entry.cause?.startsWith(`${cause}/`) ? entry.cause : []));
  return [...travelling, ...(await filedCauses(ticket._id, cause))];
}
