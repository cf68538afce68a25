// The sweep: finds what is due by index, by the database's time, oldest first, and writes it by the same optimistic
// change as everything else. So any number of workers may sweep at once: each deadline fires once, and never early.

import { storeTime } from '../clock.ts';
import { type Ctx, systemCtx } from '../context.ts';
import type { Logger } from '../log.ts';
import { leadsOf } from '../people/leads.ts';
import { ordersNow } from '../routing/rotas.ts';
import { changeRead } from '../tickets/change.ts';
import { due, nextDue } from '../tickets/due.ts';
import type { StoredTicket } from '../tickets/ticket.ts';
import { dutiesOf, type Occasion } from './duties.ts';
import { rulesOf } from './rules.ts';
import { spreadDue } from './spread.ts';

const BATCH = 500;
const SLICE = 100;
const LONGEST_MS = 10_000;
const SET_ASIDE_MS = 60_000;
const MOST_SET_ASIDE = 1_000;

export interface Swept {
  /** Tickets on which something fired. */
  fired: number;
  /** When to look again at the latest; absent when nothing waits. In the past: there is more to do already. */
  next?: Date;
  /** How late the oldest thing found was, in ms. */
  lateMs: number;
}

/** Tickets whose change fails for a reason of their own: tried again later, so that they do not hold up the rest. */
const aside = new Map<string, number>();

/** Changed rules are spread first: by themselves they go their own way (`spread`), so that no deadline waits for them. */
export async function sweep({ log }: { log: Logger }): Promise<Swept> {
  await spread({ log });
  return fireDue({ log });
}

export const spread = async ({ log }: { log: Logger }): Promise<void> => spreadDue(await storeTime(), log);

export async function fireDue({ log }: { log: Logger }): Promise<Swept> {
  const end = performance.now() + LONGEST_MS;
  let fired = 0;
  let lateMs = 0;
  let next = await nextDue(setAside());
  while (next && next <= (await storeTime())) {
    const passed = await pass(await storeTime(), end, log);
    fired += passed.written;
    lateMs = Math.max(lateMs, passed.lateMs);
    next = await nextDue(setAside());
    if (!passed.written || performance.now() > end) break;
  }
  return { fired, lateMs, ...(next ? { next } : {}) };
}

/** Once through all that is due by `now`. The next batch is read while the one before it is written. */
async function pass(now: Date, end: number, log: Logger): Promise<{ written: number; lateMs: number }> {
  let written = 0;
  let lateMs = 0;
  let tickets = await due(now, BATCH, { except: setAside() });
  const oldest = tickets[0]?.nextDeadlineAt;
  if (oldest) lateMs = now.getTime() - oldest.getTime();
  while (tickets.length) {
    const more = tickets.length === BATCH && performance.now() < end;
    const [next, done] = await Promise.all([
      more ? due(now, BATCH, { except: setAside(), skip: BATCH }) : [],
      settleAll(tickets, now, log),
    ]);
    written += done;
    tickets = next;
  }
  return { written, lateMs };
}

function setAside(): string[] {
  const now = performance.now();
  for (const [ticket, until] of aside) if (until < now) aside.delete(ticket);
  return [...aside.keys()];
}

/** In slices abreast: the next is worked out while the database writes the one before. */
async function settleAll(tickets: readonly StoredTicket[], now: Date, log: Logger): Promise<number> {
  const slices: Promise<number>[] = [];
  for (let from = 0; from < tickets.length; from += SLICE)
    slices.push(settle(tickets.slice(from, from + SLICE), now, log));
  return (await Promise.all(slices)).reduce((sum, written) => sum + written, 0);
}

async function settle(tickets: StoredTicket[], now: Date, log: Logger): Promise<number> {
  const occasions = new Map<string, Occasion>();
  for (const company of new Set(tickets.map((ticket) => ticket.company)))
    occasions.set(company, await occasionOf(company, tickets, now));
  const ctx = (company: string): Ctx => systemCtx({ log, now: () => now, request: 'deadlines' }, company);
  const { written, failed } = await changeRead(ctx, tickets, (ticket, desk) => {
    const occasion = occasions.get(ticket.company);
    return occasion ? dutiesOf(ticket, desk, occasion) : null;
  });
  for (const { ticket, error } of failed) {
    log.error({ ticket, err: error }, 'a deadline could not be written');
    if (aside.size < MOST_SET_ASIDE) aside.set(ticket, performance.now() + SET_ASIDE_MS);
  }
  return written;
}

async function occasionOf(company: string, tickets: readonly StoredTicket[], now: Date): Promise<Occasion> {
  const own = tickets.filter((ticket) => ticket.company === company);
  const rules = await rulesOf(company, Math.max(...own.map((ticket) => ticket.sla?.version ?? 0)));
  const asksLeads = rules.policies.some((policy) =>
    policy.escalation.some((step) => step.reassign === 'lead'),
  );
  const asksOnCall = rules.policies.some((policy) =>
    policy.escalation.some((step) => step.reassign === 'on_call'),
  );
  const teams = asksLeads ? [...new Set(own.flatMap((ticket) => ticket.team ?? []))] : [];
  const onCall = asksOnCall ? await ordersNow(company, now) : new Map<string, string[]>();
  return { now, rules, leads: await leadsOf(company, teams), onCall };
}
