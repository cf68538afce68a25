// Rules that hear of what happens: the relay brings each entry, and the rules look at it in their order, each at the
// ticket as the ones before have left it. An entry that comes again (a relay died, two relays at once) fires none twice.
import { storeNow } from '../clock.ts';
import { unlessGone } from '../errors.ts';
import { type Entry, undone } from '../history/entry.ts';
import type { Logger } from '../log.ts';
import { entriesOf, load } from '../tickets/find.ts';
import { asTicket, type StoredTicket, type Ticket } from '../tickets/ticket.ts';
import { authorOf } from './authors.ts';
import { automationCtx, type Fired, fire } from './firing.ts';
import { calendarOf } from './hours.ts';
import type { StoredRun } from './model.ts';
import { eventsOf, isSetOffBy } from './rule.ts';
import { rulesOn } from './rules.ts';
import { runOf, writeRuns } from './runs.ts';
import { dropTurnsOfTicket, retime } from './turns.ts';

/** Clocks of machines differ a little: what happened just before a rule was switched on may count. */
const SLACK_MS = 5_000;

export const followRules =
  (log: Logger) =>
  async (stored: StoredTicket, entries: readonly Entry[]): Promise<void> => {
    if (stored.deletedAt) return void (await dropTurnsOfTicket(stored._id));
    const on = await rulesOn(stored.company);
    if (!on.length) return;
    await retime(stored, on);
    const rules = on.filter(({ when, desk }) => 'events' in when && (desk === null || desk === stored.desk));
    if (!rules.length) return;
    const done = new Map(
      entries.flatMap((entry) =>
        entry.action === 'rule_applied' && entry.cause ? [[entry.cause, entry] as const] : [],
      ),
    );
    const calendar = await calendarOf(stored);
    let ticket = asTicket(stored);
    const lines: (StoredRun | null)[] = [];
    for (const entry of entries) {
      const events = eventsOf(entry);
      const by = events.size ? await authorOf(ticket, entry) : null;
      for (const rule of rules) {
        if (!isSetOffBy(rule, events) || entry.at.getTime() < rule.since.getTime() - SLACK_MS) continue;
        const cause = `rule:${rule._id}:${rule.runOnce ? 'once' : entry._id}/rule_applied`;
        const before = done.get(cause);
        const fired: Fired =
          before?.facts?.trigger === entry._id
            ? again(ticket, entry, before)
            : await fire(log, rule, ticket, {
                ...{ entry, by, calendar, key: entry._id, event: entry.action },
                then: () => asLeftBy(entry, stored, entries),
                nameOf: (id) => rules.find((one) => one._id === id)?.name ?? id,
              });
        const others = fired.ticket.seq > stored.seq && fired.outcome !== 'fired';
        ticket = fired.ticket;
        lines.push(runOf(rule, ticket, { entry: entry._id, event: entry.action, at: entry.at }, fired));
        if (!rule.stopHere) continue;
        if (fired.outcome === 'fired') break;
        // Another relay may be at the same entry, and this rule have fired there: then nothing was left to do here.
        if (others && (await hasFired(log, ticket, cause))) break;
      }
    }
    await writeRuns(lines);
  };

async function hasFired(log: Logger, { _id, company }: Ticket, cause: string): Promise<boolean> {
  const ctx = automationCtx(log, company, storeNow());
  const stored = await load(ctx, _id, { follow: false }).catch(unlessGone);
  if (!stored) return false;
  const entries = await entriesOf(stored);
  return entries.some((entry) => entry.cause === cause && !entry.facts?.stopped);
}

/** The ticket as it was after an entry: what came later is undone. */
function asLeftBy({ seq }: Entry, stored: StoredTicket, entries: readonly Entry[]): Ticket {
  return entries
    .toReversed()
    .reduce((then, later) => (later.seq > seq ? undone(then, later) : then), asTicket(stored));
}

/** It fired before the relay came by again: the entry itself tells what was done. */
function again(ticket: Ticket, { _id: key }: Entry, { facts }: Entry): Fired {
  const words = (fact: unknown) => (Array.isArray(fact) ? fact.map(String) : []);
  const told = { did: words(facts?.did), problems: words(facts?.problems) };
  return { ticket, key, outcome: facts?.stopped ? 'stopped' : 'fired', reasons: [], ...told };
}
