// Automation rules in tests: making them, seeing what became of them, and the relay's work by hand.
import { followRules } from '../../src/automation/following.ts';
import type { Entry } from '../../src/history/entry.ts';
import { openLog } from '../../src/log.ts';
import { entriesOf, load } from '../../src/tickets/find.ts';
import type { StoredTicket } from '../../src/tickets/ticket.ts';
import { unfiled, unseen } from '../../src/tickets/unfiled.ts';
import { type Relay, startRelay } from '../../src/workers/relay.ts';
import type { Person, Staff } from './staff.ts';
import { system } from './talk.ts';

export interface Run {
  rule_id: string;
  ticket_key: string;
  entry_id: string | null;
  outcome: string;
  reasons: { sentence: string; value: unknown }[];
  did: string[];
  problems: string[];
}

export const ADD = (tag: string) => ({ do: 'add_tags', tags: [tag] });

export function rulesOf({ manager, lead, admin }: Staff) {
  const made: string[] = [];
  return {
    async make(given: object): Promise<string> {
      const body = {
        name: `Rule ${made.length + 1}`,
        when: { events: ['created'] },
        then: [ADD('seen')],
        ...given,
      };
      const { status, body: rule } = await manager.call('POST', 'workflows', body);
      if (status !== 201) throw new Error(JSON.stringify(rule));
      made.push(rule.id);
      return rule.id;
    },
    async clear(): Promise<void> {
      for (const id of made.splice(0)) await manager.call('DELETE', `workflows/${id}`);
    },
    async runs(rule: string, query = ''): Promise<Run[]> {
      const { body } = await lead.call('GET', `workflows/${rule}/runs?page_size=100${query}`);
      return body.items;
    },
    /** A ticket, filed by whoever it is. */
    async file(given: object = {}, by: Person = admin): Promise<string> {
      const { status, body } = await by.call('POST', 'tickets', { title: 'The printer smokes', ...given });
      if (status !== 201) throw new Error(JSON.stringify(body));
      return body.id;
    },
    async ticket(id: string) {
      return (await admin.call('GET', `tickets/${id}`)).body;
    },
  };
}

export const history = async (id: string): Promise<Entry[]> => entriesOf(await load(system(), id));
/** What rules wrote, oldest first. */
export const byRules = async (id: string): Promise<Entry[]> =>
  (await history(id)).filter((entry) => entry.via === 'automation');

/** What the relay holds in its hands before it strikes it off. */
export async function inHand(): Promise<{ ticket: StoredTicket; entries: Entry[] }[]> {
  const tickets = await unfiled(500);
  return Promise.all(tickets.map(async (ticket) => ({ ticket, entries: await unseen(ticket) })));
}
export const follow = followRules(openLog('silent'));

const openRelay = (): Relay =>
  startRelay({
    log: openLog('silent'),
    plan: { channels: new Map(), now: () => new Date(), bundleMs: 0, notifies: true },
    enqueue: async () => undefined,
    followers: [follow],
  });
/** Until nothing is left to relay, by so many relays at once. */
export async function relayed(relays = 1): Promise<void> {
  const running = Array.from({ length: relays }, openRelay);
  await Promise.all(running.map((relay) => relay.drain()));
  await Promise.all(running.map((relay) => relay.stop()));
}
