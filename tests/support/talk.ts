// Tickets that are talked about on the test's own surface: filing one, binding a place to it, saying something.

import { type Ctx, systemCtx } from '../../src/context.ts';
import type { Audience } from '../../src/history/entry.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { change } from '../../src/tickets/change.ts';
import type { World } from './world.ts';

export const system = (cause?: string): Ctx => ({
  ...systemCtx({ log: openLog('silent') }, FIRST_COMPANY),
  ...(cause ? { cause } : {}),
});

export interface Filed {
  id: string;
  key: string;
}

export async function file(
  world: World,
  title = 'The printer is on fire',
  more: object = {},
): Promise<Filed> {
  const answer = await world.call('POST', '/api/v1/tickets', {
    as: await world.admin(),
    body: { title, ...more },
  });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  return answer.body;
}

/** The ticket is talked about there from now on. */
export async function bind(
  ticket: Filed,
  place: string,
  audience: Audience,
  surface = 'peer',
): Promise<void> {
  await change(system(), ticket.id, ({ conversations }) => ({
    action: 'bound',
    set: {
      conversations: [...conversations, { id: `${surface}:${place}`, surface, audience, at: { place } }],
    },
  }));
}

export async function say(world: World, ticket: Filed, content: string, isInternal = false): Promise<string> {
  const answer = await world.call('POST', `/api/v1/tickets/${ticket.id}/comments`, {
    as: await world.admin(),
    body: { content, is_internal: isInternal },
  });
  if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
  return answer.body.id;
}

export interface Receipt {
  id: string;
  surface: string;
  kind: string;
  state: string;
  error: string | null;
  attempts: { error: string | null }[];
  fallback_of_id: string | null;
}

export async function receipts(world: World, ticket: Filed): Promise<Receipt[]> {
  const answer = await world.call('GET', `/api/v1/tickets/${ticket.id}/deliveries`, {
    as: await world.admin(),
  });
  return answer.body.items;
}

/** Looks until it is so; the test's own time limit ends it. */
export async function until<T>(look: () => T | Promise<T>, patienceMs = 40_000): Promise<NonNullable<T>> {
  for (const end = Date.now() + patienceMs; ; ) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not so after ${patienceMs} ms: ${look}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
