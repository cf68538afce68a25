// Rehearsal: what a rule would have done in the last days, with each ticket as it then was. Nothing is written. It looks
// at so many tickets and for so long, and says so when it had to stop early.
import { z } from 'zod';
import { storeTime } from '../clock.ts';
import type { Ctx } from '../context.ts';
import { findDesk } from '../desks/desks.ts';
import { busy, forbidden } from '../errors.ts';
import { applied, type Entry } from '../history/entry.ts';
import { may } from '../people/access.ts';
import type { Calendar } from '../sla/calendar.ts';
import { openAfter, placeOf, touchedSince } from '../tickets/due.ts';
import { entriesOf } from '../tickets/find.ts';
import { consequences, type StoredTicket, type Ticket } from '../tickets/ticket.ts';
import { authorOf } from './authors.ts';
import { evaluate, type Reason } from './condition.ts';
import { changesOf, effectOf } from './effects.ts';
import type { Author } from './fields.ts';
import { automationCtx } from './firing.ts';
import { calendarOf } from './hours.ts';
import { checkReferences } from './references.ts';
import { chainOf, eventsOf, isSetOffBy, LONGEST_CHAIN, type Rule, ruleInput } from './rule.ts';
import { readRule } from './rules.ts';
import { activityOf, turnOf } from './turn.ts';

const MOST_TICKETS = 1_000;
const MOST_LISTED = 200;
const MOST_REASONS = 20;
const LONGEST_MS = 8_000;
const DAY = 86_400_000;
const PAGE = 100;

const days = z.int().min(1).max(90).default(7).meta({ description: 'How far back.', example: 7 });
export const rehearseInput = z.strictObject({ days });
export const rehearseDraftInput = z.strictObject({ rule: ruleInput, days });

const matchShape = z.object({
  ticketId: z.string(),
  ticketKey: z.string(),
  title: z.string(),
  entryId: z.string().nullable().meta({ description: 'The history entry that would have set it off.' }),
  event: z.string(),
  at: z.date(),
  changes: z.array(z.object({ field: z.string(), oldValue: z.unknown(), newValue: z.unknown() })),
  says: z.array(z.object({ audience: z.enum(['public', 'internal']), text: z.string() })),
  notifies: z.array(z.object({ to: z.array(z.string()), text: z.string() })),
  problems: z.array(z.string()).meta({ description: 'What could not have been done.' }),
});
export const rehearsalShape = z
  .object({
    from: z.date(),
    to: z.date(),
    tickets: z.int().meta({ description: 'How many tickets were looked at.' }),
    occasions: z.int().meta({ description: 'How often the rule would have looked.' }),
    matched: z.int(),
    nothingToDo: z.int().meta({ description: 'The condition held, and all was so already.' }),
    notMatched: z.int(),
    reasons: z
      .array(z.object({ field: z.string(), count: z.int(), sentence: z.string() }))
      .meta({ description: 'Why it did not match: what failed most often first, with one example.' }),
    matches: z.array(matchShape).meta({ description: `The latest tickets first, ${MOST_LISTED} at most.` }),
    cut: z.string().nullable().meta({ description: 'Why it stopped early, if it did.' }),
  })
  .meta({ id: 'Rehearsal' });
export type Rehearsal = z.output<typeof rehearsalShape>;

type Rehearsed = Pick<Rule, 'id' | 'name' | 'desk' | 'when' | 'if' | 'then' | 'runOnce'>;

export async function rehearseRule(
  ctx: Ctx,
  id: string,
  given: z.output<typeof rehearseInput>,
): Promise<Rehearsal> {
  return rehearse(ctx, await readRule(ctx, id), given.days);
}

export async function rehearseDraft(
  ctx: Ctx,
  given: z.output<typeof rehearseDraftInput>,
): Promise<Rehearsal> {
  if (!may(ctx.actor, 'rule.read')) throw forbidden('rule.read', 'Only leads rehearse rules.');
  const rule = await checkReferences(ctx, given.rule);
  return rehearse(ctx, { ...rule, id: 'unsaved' }, given.days);
}

const underWay = new Set<string>();

async function rehearse(ctx: Ctx, rule: Rehearsed, last: number): Promise<Rehearsal> {
  const { company } = ctx.actor;
  if (underWay.has(company))
    throw busy('workflow.rehearsing', 'Another rehearsal of your company is under way. Try again.', 5);
  underWay.add(company);
  try {
    const began = performance.now();
    const to = await storeTime();
    const from = new Date(to.getTime() - last * DAY);
    const stage = openStage(ctx, rule, from, to);
    const { report } = stage;
    for await (const { stored, entries } of livesOf(ticketsFor(rule, company, from))) {
      if (report.tickets >= MOST_TICKETS)
        report.cut = `Only the ${MOST_TICKETS} latest tickets were looked at.`;
      else if (performance.now() - began > LONGEST_MS)
        report.cut = `It took too long: only the ${report.tickets} latest tickets were looked at.`;
      if (report.cut) break;
      report.tickets++;
      await stage.play(stored, entries);
    }
    return stage.told();
  } finally {
    underWay.delete(company);
  }
}

const ABREAST = 25;
/** With all that happened to them, read a few at a time. */
async function* livesOf(tickets: AsyncIterable<StoredTicket>): AsyncGenerator<Life> {
  let group: StoredTicket[] = [];
  const read = () => Promise.all(group.map(async (stored) => ({ stored, entries: await entriesOf(stored) })));
  for await (const ticket of tickets) {
    group.push(ticket);
    if (group.length < ABREAST) continue;
    yield* await read();
    group = [];
  }
  yield* await read();
}
interface Life {
  stored: StoredTicket;
  entries: Entry[];
}

/** The latest first; for rules of time also those on which nothing happened meanwhile. */
async function* ticketsFor(rule: Rehearsed, company: string, from: Date): AsyncGenerator<StoredTicket> {
  const isOurs = (ticket: StoredTicket) => rule.desk === null || rule.desk === ticket.desk;
  for await (const ticket of touchedSince(company, from)) if (isOurs(ticket)) yield ticket;
  if ('events' in rule.when) return;
  const kinds = ['new', 'open', 'pending', 'resolved'] as const;
  for (let place = null; ; ) {
    const page: StoredTicket[] = await openAfter(company, place, PAGE, kinds);
    for (const ticket of page) if (ticket.updatedAt < from && isOurs(ticket)) yield ticket;
    const end = page.at(-1);
    if (!end || page.length < PAGE) return;
    place = placeOf(end);
  }
}

function openStage(ctx: Ctx, rule: Rehearsed, from: Date, to: Date) {
  const counts = { tickets: 0, occasions: 0, matched: 0, nothingToDo: 0, notMatched: 0 };
  const report = { ...counts, matches: [] as Rehearsal['matches'], cut: null as string | null };
  const reasons = new Map<string, { field: string; count: number; sentence: string }>();

  const count = (because: readonly Reason[]) => {
    report.notMatched++;
    for (const { field, op, wanted, sentence } of because) {
      const key = JSON.stringify([field, op, wanted]);
      const known = reasons.get(key) ?? { field, count: 0, sentence };
      reasons.set(key, { ...known, count: known.count + 1 });
    }
  };

  /** One occasion. Answers what would have been set; null when the rule would not have fired. */
  const look = async (
    ticket: Ticket,
    { entry, by, at, event, calendar }: Occasion,
  ): Promise<Partial<Ticket> | null> => {
    const counted = at >= from;
    if (counted) report.occasions++;
    const verdict = evaluate(rule.if, { ticket, entry, by, now: at, calendar });
    if (!verdict.holds) {
      if (counted) count(verdict.because);
      return null;
    }
    const desk = await findDesk(ticket.company, ticket.desk);
    const acting = automationCtx(ctx.log, ticket.company, at, 'rehearsal');
    const effect = await effectOf(acting, { ...rule, _id: rule.id }, ticket, entry);
    const { drafts, problems } = effect(ticket, desk);
    if (!drafts.length && !problems.length) {
      if (counted) report.nothingToDo++;
      return null;
    }
    if (counted) {
      report.matched++;
      if (report.matches.length < MOST_LISTED)
        report.matches.push({
          ...{ ticketId: ticket._id, ticketKey: ticket.key, title: ticket.title },
          ...{ entryId: entry?._id ?? null, event, at, problems, changes: changesOf(ticket, drafts) },
          says: drafts.flatMap(({ comment }) =>
            comment ? [{ audience: comment.audience, text: comment.text ?? '' }] : [],
          ),
          notifies: drafts.flatMap(({ facts }) =>
            Array.isArray(facts?.notify) ? [{ to: facts.notify, text: String(facts.sentence ?? '') }] : [],
          ),
        });
    }
    const set: Partial<Ticket> = Object.assign({}, ...drafts.map((draft) => draft.set ?? {}));
    return drafts.length ? consequences(ticket, set, desk.workflow, at) : null;
  };

  /** A ticket's life again, entry by entry. What the rule would have set holds until somebody really set it otherwise. */
  const play = async (stored: StoredTicket, entries: readonly Entry[]): Promise<void> => {
    const calendar = await calendarOf(stored);
    let real = { _id: stored._id, seq: 0, updatedAt: new Date(0) } as Ticket;
    let would: Partial<Ticket> = {};
    let activity = activityOf(stored, []);
    const had = new Set<string>();
    for (const [at, entry] of entries.entries()) {
      real = applied(real, entry);
      would = Object.fromEntries(Object.entries(would).filter(([name]) => !(name in entry.fields)));
      activity = activityOf(stored, [entry], activity);
      if (real.deletedAt || (rule.runOnce && had.size)) continue;
      const ticket = { ...real, ...would };
      const until = entries[at + 1]?.at ?? to;
      const due = dueOn(rule, ticket, activity, calendar, entry, until, had);
      if (!due || ('events' in rule.when && entry.at < from)) continue;
      const by = due.entry && (await authorOf(ticket, due.entry));
      const set = await look(ticket, { ...due, by, calendar });
      if (!set) continue;
      had.add(due.key);
      would = { ...would, ...set };
    }
  };

  return {
    report,
    play,
    told: (): Rehearsal => {
      const most = [...reasons.values()].sort((a, b) => b.count - a.count).slice(0, MOST_REASONS);
      return { from, to, ...report, reasons: most };
    },
  };
}

interface Occasion {
  entry: Entry | null;
  by: Author | null;
  at: Date;
  event: string;
  calendar: Calendar;
}

/** Would the rule have looked at the ticket between this entry and the next? */
function dueOn(
  { id, when }: Rehearsed,
  ticket: Ticket,
  activity: ReturnType<typeof activityOf>,
  calendar: Calendar,
  entry: Entry,
  until: Date,
  had: ReadonlySet<string>,
): { entry: Entry | null; at: Date; event: string; key: string } | null {
  if ('events' in when) {
    const chain = chainOf(entry);
    const isLoop = chain.includes(id) || chain.length >= LONGEST_CHAIN;
    if (isLoop || !isSetOffBy({ when }, eventsOf(entry))) return null;
    return { entry, at: entry.at, event: entry.action, key: entry._id };
  }
  const turn = turnOf(when, ticket, activity, calendar);
  const at = turn && new Date(Math.max(turn.at.getTime(), entry.at.getTime()));
  const key = String(turn?.spell.getTime());
  if (!at || at >= until || had.has(key)) return null;
  return { entry: null, at, event: 'idleFor' in when ? 'idle_for' : 'until_due', key };
}
