// The next batch of a company: who gets which of the waiting tickets. What those who left have in hand comes first, then
// the queue, strictly the oldest first, over all desks; a ticket that nobody may have now does not hold up those behind.
import { declinedSince, heldBy, type WaitingTicket, waiting } from '../tickets/waiting.ts';
import { handedOver } from './absence.ts';
import { type Facts, give, lanesOf, markOf, situationOf } from './facts.ts';
import { type Look, lookFrom } from './looks.ts';
import type { Intent } from './model.ts';
import { type Choice, choose } from './routing.ts';
import type { Rule } from './rule.ts';

const BATCH = 50;
const PAGE = 100;
/** So many of a desk's tickets are looked at in one go; the next goes on behind them. */
const MOST_LOOKED = 2_000;
/** Who put a ticket back does not get it again for so long. */
export const DECLINED_MS = 15 * 60_000;

export interface Batch {
  intents: Intent[];
  /** How far each desk's queue was looked through; to be kept once the batch is entered. */
  looked: Map<string, Look>;
  /** There is more to look at. */
  more: boolean;
}

export async function nextBatch(facts: Facts): Promise<Batch> {
  const leaving = await handovers(facts);
  if (leaving.length >= BATCH) return { intents: leaving, looked: new Map(), more: true };
  const { intents, looked, more } = await queued(facts, BATCH - leaving.length);
  return { intents: [...leaving, ...intents], looked, more: more || leaving.length > 0 };
}

/** What people who went away leave behind. Whoever has nothing left to hand over is done with it. */
async function handovers(facts: Facts): Promise<Intent[]> {
  const intents: Intent[] = [];
  for (const presence of facts.presences) {
    const { _id: user, handingOver, until } = presence;
    if (!handingOver || intents.length >= BATCH) continue;
    const wanted = [...facts.rules].filter(([, rule]) => rule.handOver).map(([desk]) => desk);
    const isBack = until !== null && until <= facts.now;
    const nothing = isBack || (handingOver === 'desks' && !wanted.length);
    const desks = handingOver === 'all' ? null : wanted;
    const held = nothing ? [] : await heldBy(facts.company, user, desks, BATCH - intents.length);
    if (!held.length) await handedOver(presence);
    const name = facts.people.find(({ id }) => id === user)?.name ?? 'Who had it';
    const declined = await declinedSince(held, new Date(facts.now.getTime() - DECLINED_MS));
    for (const ticket of held)
      intents.push(handover(facts, ticket, user, name, declined.get(ticket._id) ?? []));
  }
  return intents;
}

function handover(
  facts: Facts,
  ticket: WaitingTicket,
  from: string,
  name: string,
  declined: string[],
): Intent {
  const rule = facts.rules.get(ticket.desk);
  const choice =
    rule && choose({ ...ticket, declined: [...declined, from] }, situationOf(facts, ticket.desk, rule));
  const why = `${name} is away. ${choice?.why ?? 'It goes back into the queue.'}`;
  const to = { user: choice?.user ?? null, team: choice?.team ?? ticket.team, why };
  return intentOf(facts, ticket, to, { because: 'away', from, ...(rule ? factsOf(rule, choice) : {}) });
}

async function queued(facts: Facts, most: number): Promise<Batch> {
  const mark = markOf(facts);
  const lanes = [...facts.rules].map(([desk, rule]) => openLane(facts, desk, rule, mark));
  const intents: Intent[] = [];
  while (intents.length < most) {
    let first: (typeof lanes)[number] | undefined;
    for (const lane of lanes) {
      await lane.fill();
      const [mine, best] = [lane.peek(), first?.peek()];
      if (mine && (!best || mine.ticket.createdAt < best.ticket.createdAt)) first = lane;
    }
    const next = first?.take();
    if (!first || !next) break;
    const situation = situationOf(facts, first.desk, first.rule);
    const choice = choose({ ...next.ticket, declined: next.declined }, situation);
    if (choice.user === null && choice.team === next.ticket.team) continue;
    const because = { because: 'routing', ...factsOf(first.rule, choice) };
    intents.push(intentOf(facts, next.ticket, choice, because));
  }
  const after = markOf(facts);
  const looked = new Map(lanes.flatMap((lane) => lane.look(after)));
  return { intents, looked, more: intents.length >= most || lanes.some((lane) => lane.isCut()) };
}

interface Head {
  ticket: WaitingTicket;
  declined: string[];
}

/** The waiting tickets of one desk, page after page; of teams in which nobody has room none are read. */
function openLane(facts: Facts, desk: string, rule: Rule, mark: string) {
  const { company, now } = facts;
  const { from, upTo } = lookFrom(company, desk, mark);
  let taken = from;
  let read = taken;
  let buffer: Head[] = [];
  let looked = 0;
  let ended = false;
  return {
    desk,
    rule,
    peek: () => buffer[0],
    take(): Head | undefined {
      const head = buffer.shift();
      if (head) taken = { createdAt: head.ticket.createdAt, _id: head.ticket._id };
      return head;
    },
    async fill(): Promise<void> {
      if (buffer.length || ended || looked >= MOST_LOOKED) return;
      const lanes = lanesOf(facts, rule);
      const page = lanes.length ? await waiting({ company, desk }, lanes, read, PAGE) : [];
      const declined = await declinedSince(page, new Date(now.getTime() - DECLINED_MS));
      buffer = page.map((ticket) => ({ ticket, declined: declined.get(ticket._id) ?? [] }));
      looked += page.length;
      ended = page.length < PAGE;
      read = page.at(-1) ?? read;
    },
    isCut: () => !ended && looked >= MOST_LOOKED,
    look: (after: string): [string, Look][] => (taken ? [[desk, upTo(taken, after)]] : []),
  };
}

const factsOf = (rule: Rule, choice: Choice | undefined) => ({
  strategy: rule.strategy,
  candidates: choice?.pool.length ?? 0,
  left_out: (choice?.leftOut ?? []).slice(0, 20).map(({ user, because }) => ({ user_id: user, because })),
});

/** The choice as it is to be carried out, counted in for those that follow. */
export function intentOf(
  facts: Facts,
  ticket: WaitingTicket,
  { user, team, why }: Pick<Choice, 'user' | 'team' | 'why'>,
  because: Record<string, unknown>,
): Intent {
  const given = user === null ? null : give(facts, ticket.desk, user, ticket);
  const set: Intent['set'] = {
    ...(user === ticket.assignee ? {} : { assignee: user }),
    ...(team === ticket.team ? {} : { team }),
  };
  const { _id, seq, desk } = ticket;
  return {
    ticket: _id,
    seq,
    desk,
    set,
    notes: why,
    facts: because,
    turn: given?.turn ?? null,
    before: given?.before ?? null,
  };
}
